// A moment tensor potential in the layout that the kernels use.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <stdexcept>
#include <vector>

// The contraction table, m[out] += factor * m[left] * m[right], by runs of rows with the same `out`: it stays in registers.
struct Product {
  int32_t left, right;
  double factor;
};
struct Contraction {
  int32_t out;
  int32_t begin, end;  // of its products
};

inline int monomials_of_rank(int rank) { return (rank + 1) * (rank + 2) / 2; }
inline int monomials_below_rank(int rank) { return rank * (rank + 1) * (rank + 2) / 6; }

// Index of x^a y^b z^c among all monomials: by rank, then a falling, then b falling. In this order the monomials of one rank
// are x times all of the rank below, then y times those without x, then z times the last: the recursion needs no index tables.
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

  // Basic moments are kept monomial by monomial, all its μ together; a run is a range of ranks with the same number of μ.
  int max_rank = 0, monomial_count = 0, basic_count = 0, moment_count = 0;
  std::vector<int32_t> mu_count, first_basic;  // of each monomial
  struct Run { int begin, end, mu_count; };
  std::vector<Run> runs;
  std::vector<Product> products;
  std::vector<Contraction> contractions;

  int parameter_count() const {
    return static_cast<int>(radial.size() + species_energies.size() + moment_coefficients.size());
  }

  // basic: rows (μ, a, b, c); times: rows (left, right, factor, out), as in .mtp files.
  void set_tables(const int32_t* basic, int n_basic, const int32_t* times, int n_times, const int32_t* mapping,
                  int n_scalars, int n_moments) {
    for (int i = 0; i < n_basic; ++i) {
      const int32_t* row = basic + 4 * i;
      if (row[0] < 0 || row[0] >= radial_count || row[1] < 0 || row[2] < 0 || row[3] < 0)
        throw std::invalid_argument("alpha_index_basic has an entry out of range");
      max_rank = std::max(max_rank, int(row[1] + row[2] + row[3]));
    }
    monomial_count = monomials_below_rank(max_rank + 1);
    std::vector<int> mu_of_rank(max_rank + 1, 0);
    for (int i = 0; i < n_basic; ++i) {
      int& count = mu_of_rank[basic[4 * i + 1] + basic[4 * i + 2] + basic[4 * i + 3]];
      count = std::max(count, int(basic[4 * i]) + 1);
    }
    for (int rank = 0; rank <= max_rank; ++rank) {
      const int begin = monomials_below_rank(rank), end = monomials_below_rank(rank + 1);
      for (int m = begin; m < end; ++m) {
        mu_count.push_back(mu_of_rank[rank]);
        first_basic.push_back(basic_count);
        basic_count += mu_of_rank[rank];
      }
      if (!runs.empty() && runs.back().mu_count == mu_of_rank[rank]) runs.back().end = end;
      else runs.push_back({begin, end, mu_of_rank[rank]});
    }
    std::vector<int32_t> moved(n_moments);
    for (int i = 0; i < n_basic; ++i) {
      const int32_t* row = basic + 4 * i;
      moved[i] = first_basic[monomial_index(row[1], row[2], row[3])] + row[0];
    }
    for (int i = n_basic; i < n_moments; ++i) moved[i] = basic_count + i - n_basic;
    moment_count = basic_count + n_moments - n_basic;
    auto at = [&](int32_t index) {
      if (index < 0 || index >= n_moments) throw std::invalid_argument("alpha_index_times or alpha_moment_mapping points outside the moments");
      return moved[index];
    };
    for (int i = 0; i < n_times; ++i) {
      const int32_t* row = times + 4 * i;
      if (row[3] < n_basic) throw std::invalid_argument("alpha_index_times writes to a basic moment");
      const int32_t out = at(row[3]);
      if (contractions.empty() || contractions.back().out != out) contractions.push_back({out, i, i});
      products.push_back({at(row[0]), at(row[1]), double(row[2])});
      contractions.back().end = i + 1;
    }
    for (int i = 0; i < n_scalars; ++i) scalars.push_back(at(mapping[i]));
  }

  const double* radial_of(int center, int neighbor) const {
    return radial.data() + std::size_t(center * species_count + neighbor) * radial_count * chebyshev_count;
  }
};
