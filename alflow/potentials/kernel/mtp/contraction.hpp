// The contraction table, m[out] += factor * m[left] * m[right], and its adjoint; for vectors of atoms and for one atom.
#pragma once

#include "mtp/potential.hpp"

namespace alflow {

// Moments behind the basic ones must be zero.
template <class T>
inline void contract(const Potential& p, T* m) {
  for (const Contraction& c : p.contractions) {
    T sum = m[c.out];
    for (int i = c.begin; i < c.end; ++i) {
      const Product& t = p.products[i];
      sum += t.factor * m[t.left] * m[t.right];
    }
    m[c.out] = sum;
  }
}

// a = ∂V/∂m of all moments; those that are sums of others have handed theirs on to their terms.
template <class T>
inline void contract_adjoint(const Potential& p, const T* m, T* a) {
  std::fill_n(a, p.moment_count, T{});
  for (std::size_t b = 0; b < p.scalars.size(); ++b) a[p.scalars[b]] += T{} + p.moment_coefficients[b];
  for (const Adjoint& row : p.adjoints) {
    T sum{};
    for (int i = row.begin; i < row.end; ++i) sum += a[p.adjoint_terms[i].out] * m[p.adjoint_terms[i].other];
    a[row.moment] += row.factor * sum;
  }
  p.spread_sums(a, [](T& to, const T& from) { to += from; });
}

}  // namespace alflow
