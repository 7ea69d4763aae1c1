// A moment tensor potential in the layout that the kernels use.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <vector>

#include "local/core.hpp"

namespace alflow {

// The contraction table, m[out] += factor * m[left] * m[right], by runs of rows with the same `out`: it stays in registers.
struct Product {
  int32_t left, right;
  double factor;
};
struct Contraction {
  int32_t out;
  int32_t begin, end;  // of its products
};

// Its transpose, a[moment] += factor * Σ a[out] * m[other], in the order in which a[out] are complete.
struct Adjoint {
  int32_t moment;
  int32_t begin, end;  // of its terms
  double factor;
};
struct AdjointTerm {
  int32_t out, other;
};

inline int monomials_below_rank(int rank) { return rank * (rank + 1) * (rank + 2) / 6; }

// Index of x^a y^b z^c among all monomials: by rank, then a falling, then b falling.
inline int monomial_index(int a, int b, int c) {
  const int rank = a + b + c, without_x = rank - a;
  return monomials_below_rank(rank) + without_x * (without_x + 1) / 2 + c;
}

struct Potential {
  int species_count, radial_count, chebyshev_count;  // S, F, K
  double cutoff, min_distance, scaling;
  std::vector<double> radial;            // (S, S, F, K), scaling included
  std::vector<double> species_energies;  // (S)
  std::vector<double> moment_coefficients;
  std::vector<int32_t> scalars;  // moment that holds each basis function
  Core core;                     // under the potential, or none

  // Because u² = 1, a moment of rank ν is the sum of three of rank ν + 2 with the same μ. Only the two highest ranks of each radial
  // function, ν and ν - 1, are summed over neighbours. They are kept in lines of like y^b z^c: for c = 0 … ν, for b = 0 … ν - c
  // that with the larger power of x, x^(ν-b-c), then the other one, where there is one. Lower ranks follow, monomial by monomial.
  struct Family {
    int rank, first;  // the highest rank of a radial function, -1 if it has none, and its first moment
  };
  struct Sum {
    int32_t out, terms[3];
  };
  int max_rank = -1, basic_count = 0, moment_count = 0;
  std::vector<Family> families;  // one for each μ
  std::vector<Sum> sums;         // moments that are sums of three others, from the highest rank down
  std::vector<Product> products;
  std::vector<Contraction> contractions;
  std::vector<Adjoint> adjoints;
  std::vector<AdjointTerm> adjoint_terms;

  int parameter_count() const { return static_cast<int>(radial.size() + species_energies.size() + moment_coefficients.size()); }

  // basic: rows (μ, a, b, c); times: rows (left, right, factor, out), as in .mtp files.
  void set_tables(const int32_t* basic, int n_basic, const int32_t* times, int n_times, const int32_t* mapping, int n_scalars,
                  int n_moments) {
    if (n_moments < n_basic) throw std::invalid_argument("there are more basic moments than moments");
    families.assign(radial_count, {-1, 0});
    for (int i = 0; i < n_basic; ++i) {
      const int32_t* row = basic + 4 * i;
      if (row[0] < 0 || row[0] >= radial_count || row[1] < 0 || row[2] < 0 || row[3] < 0)
        throw std::invalid_argument("alpha_index_basic has an entry out of range");
      int& rank = families[row[0]].rank;
      rank = std::max(rank, int(row[1] + row[2] + row[3]));
      max_rank = std::max(max_rank, rank);
    }
    for (Family& family : families) {
      family.first = basic_count;
      basic_count += monomials_below_rank(family.rank + 1);
    }
    set_sums();
    std::vector<int32_t> moved(n_moments);
    for (int i = 0; i < n_basic; ++i) {
      const int32_t* row = basic + 4 * i;
      moved[i] = moment(row[0], row[1], row[2], row[3]);
    }
    for (int i = n_basic; i < n_moments; ++i) moved[i] = basic_count + i - n_basic;
    moment_count = basic_count + n_moments - n_basic;
    auto at = [&](int32_t index) {
      if (index < 0 || index >= n_moments)
        throw std::invalid_argument("alpha_index_times or alpha_moment_mapping points outside the moments");
      return moved[index];
    };
    std::vector<bool> is_read(moment_count);
    for (int i = 0; i < n_times; ++i) {
      const int32_t* row = times + 4 * i;
      if (row[3] < n_basic) throw std::invalid_argument("alpha_index_times writes to a basic moment");
      const int32_t out = at(row[3]);
      is_read[at(row[0])] = is_read[at(row[1])] = true;
      if (is_read[out]) throw std::invalid_argument("alpha_index_times writes to a moment that it has read before");
      if (contractions.empty() || contractions.back().out != out) contractions.push_back({out, i, i});
      products.push_back({at(row[0]), at(row[1]), double(row[2])});
      contractions.back().end = i + 1;
    }
    for (int i = 0; i < n_scalars; ++i) scalars.push_back(at(mapping[i]));
    transpose_contractions();
  }

  // The moment Σ f_μ x^a y^b z^c.
  int moment(int mu, int a, int b, int c) const {
    const auto [top, first] = families[mu];
    const int rank = a + b + c;
    if (rank < top - 1) return first + (top + 1) * (top + 1) + monomial_index(a, b, c);
    return first + c * (2 * top + 2 - c) + 2 * b + (top - rank);
  }

  // Fills the moments that are sums of others.
  template <class T>
  void fill_sums(T* moments) const {
    for (const auto& [out, t] : sums) moments[out] = moments[t[0]] + moments[t[1]] + moments[t[2]];
  }

  // The transpose of fill_sums(): what a sum carries goes to each of its terms.
  template <class T, class Add>
  void spread_sums(T* adjoints, Add add) const {
    for (auto sum = sums.rbegin(); sum != sums.rend(); ++sum)
      for (int32_t term : sum->terms) add(adjoints[term], adjoints[sum->out]);
  }

  const double* radial_of(int center, int neighbor) const {
    return radial.data() + std::size_t(center * species_count + neighbor) * radial_count * chebyshev_count;
  }

 private:
  void set_sums() {
    for (int mu = 0; mu < radial_count; ++mu)
      for (int rank = families[mu].rank - 2; rank >= 0; --rank)
        for (int a = rank; a >= 0; --a)
          for (int b = rank - a, c = 0; b >= 0; --b, ++c)
            sums.push_back({moment(mu, a, b, c), {moment(mu, a + 2, b, c), moment(mu, a, b + 2, c), moment(mu, a, b, c + 2)}});
  }

  void transpose_contractions() {
    std::vector<int> written(moment_count, -1);  // the last contraction that writes a moment
    struct Row {
      int32_t moment;
      double factor;
      AdjointTerm term;
    };
    std::vector<Row> rows;
    for (std::size_t k = 0; k < contractions.size(); ++k) {
      const Contraction& c = contractions[k];
      written[c.out] = int(k);
      for (int i = c.begin; i < c.end; ++i) {
        const auto [left, right, factor] = products[i];
        rows.push_back({left, left == right ? 2 * factor : factor, {c.out, right}});
        if (left != right) rows.push_back({right, factor, {c.out, left}});
      }
    }
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& x, const Row& y) {
      return std::tuple(-written[x.moment], x.moment, x.factor) < std::tuple(-written[y.moment], y.moment, y.factor);
    });
    for (const Row& row : rows) {
      if (adjoints.empty() || adjoints.back().moment != row.moment || adjoints.back().factor != row.factor)
        adjoints.push_back({row.moment, int(adjoint_terms.size()), 0, row.factor});
      adjoint_terms.push_back(row.term);
      adjoints.back().end = int(adjoint_terms.size());
    }
  }
};

}  // namespace alflow
