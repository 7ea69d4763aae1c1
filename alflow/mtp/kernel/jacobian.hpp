// Derivatives of energies, forces and virials with respect to all parameters, which a fit needs. SIMD lanes are directions.
//
// For one neighbourhood, with moments m, basic moments M and adjoints A = ∂V/∂M:
//   linear coefficients   ∂²V/∂r ∂ξ_α = ∂B_α/∂r                         tangents of the contraction table along the neighbours' r
//   radial coefficients   ∂²V/∂r ∂c   = A·∂²M/∂r∂c + (∂A/∂c)·∂M/∂r      tangents of the table and of its adjoint along c
// The tangents are carried through the table 32 directions at a time, whatever their number.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "neighbors.hpp"
#include "potential.hpp"
#include "radial.hpp"
#include "simd.hpp"

namespace detail {

constexpr int CH = 4;             // registers of a chunk of directions
constexpr int LANES = CH * W;
using chunk = std::array<vec, CH>;

class NeighborhoodJacobian {
 public:
  explicit NeighborhoodJacobian(const Potential& p)
      : p_(p), moments_(p.moment_count), adjoints_(p.moment_count), tangent_(p.moment_count), adjoint_tangent_(p.moment_count) {
    for (int rank = 0; rank <= p.max_rank; ++rank)
      for (int a = rank; a >= 0; --a)
        for (int b = rank - a; b >= 0; --b) exponents_.push_back({a, b, rank - a - b});
  }

  // Adds the neighbourhood of one atom. `out` is (parameters, stride): the column `energy` is the energy's, the next 3·atoms are the
  // forces', the last six the virial's (xx yy zz yz xz xy). `first` is the first atom of the structure.
  void add(const Neighbor* neighbors, int count, int type, int64_t atom, int64_t first, int64_t atoms, double* out, int64_t stride) {
    neighbors_ = neighbors;
    count_ = count;
    out_ = out;
    stride_ = stride;
    own_row_ = 1 + 3 * (atom - first);
    virial_row_ = 1 + 3 * atoms;
    rows_.resize(3 * count);
    for (int j = 0; j < count; ++j)
      for (int d = 0; d < 3; ++d) rows_[3 * j + d] = 1 + 3 * (neighbors[j].atom - first) + d;
    chunks_ = (3 * count + LANES - 1) / LANES;
    neighbor_terms(type);
    contract();
    linear_part(type);
    radial_part(type);
  }

 private:
  // Per neighbour: radial basis, monomials and their gradients; summed: basic moments and their tangents along every r_j.
  void neighbor_terms(int type) {
    const int F = p_.radial_count, K = p_.chebyshev_count, X = p_.monomial_count;
    q_.resize(count_ * K);
    dq_.resize(count_ * K);
    monomials_.resize(std::size_t(count_) * X);
    gradients_.resize(std::size_t(count_) * X * 3);
    f_.resize(count_ * F);
    basic_tangents_.assign(std::size_t(chunks_) * p_.basic_count, chunk{});
    virial_weights_.assign(std::size_t(chunks_) * 6, chunk{});
    std::fill(moments_.begin(), moments_.end(), 0.0);
    for (int j = 0; j < count_; ++j) {
      const Neighbor& n = neighbors_[j];
      const double r = std::sqrt(n.x * n.x + n.y * n.y + n.z * n.z), u[3] = {n.x / r, n.y / r, n.z / r};
      radial_basis(p_, r, &q_[j * K], &dq_[j * K]);
      for (int k = 0; k < K; ++k) { q_[j * K + k] *= p_.scaling; dq_[j * K + k] *= p_.scaling; }
      double df[8];
      const double* c = p_.radial_of(type, n.type);
      for (int mu = 0; mu < F; ++mu) {
        double value = 0, slope = 0;
        for (int k = 0; k < K; ++k) {
          value += c[mu * K + k] * q_[j * K + k];
          slope += c[mu * K + k] * dq_[j * K + k];
        }
        f_[j * F + mu] = value / p_.scaling;  // radial coefficients carry the scaling already
        df[mu] = slope / p_.scaling;
      }
      double* m = &monomials_[std::size_t(j) * X];
      double* g = &gradients_[std::size_t(j) * X * 3];
      for (int i = 0; i < X; ++i) monomial(u, 1 / r, i, m, g);
      for (int i = 0; i < X; ++i)
        for (int mu = 0; mu < p_.mu_count[i]; ++mu) {
          const int b = p_.first_basic[i] + mu;
          moments_[b] += f_[j * F + mu] * m[i];
          for (int d = 0; d < 3; ++d)
            lane(basic_tangents_, b, p_.basic_count, 3 * j + d) = df[mu] * u[d] * m[i] + f_[j * F + mu] * g[3 * i + d];
        }
      const double x[3] = {n.x, n.y, n.z};
      constexpr int voigt[6][2] = {{0, 0}, {1, 1}, {2, 2}, {1, 2}, {0, 2}, {0, 1}};
      for (int v = 0; v < 6; ++v) {  // the virial is symmetric as a sum over all neighbours of all atoms: both orders, half each
        lane(virial_weights_, v, 6, 3 * j + voigt[v][1]) += 0.5 * x[voigt[v][0]];
        lane(virial_weights_, v, 6, 3 * j + voigt[v][0]) += 0.5 * x[voigt[v][1]];
      }
    }
  }

  // u^e and its gradient with respect to r: (e_d u^(e - e_d) - |e| u^e u_d) / r.
  void monomial(const double* u, double inverse_r, int i, double* m, double* g) const {
    const auto& e = exponents_[i];
    const int rank = e[0] + e[1] + e[2];
    double lowered[3] = {0, 0, 0};
    m[i] = 1;
    for (int d = 0; d < 3; ++d)
      if (e[d]) {
        auto less = e;
        --less[d];
        const double below = m[monomial_index(less[0], less[1], less[2])];
        lowered[d] = e[d] * below;
        m[i] = below * u[d];
      }
    for (int d = 0; d < 3; ++d) g[3 * i + d] = (lowered[d] - rank * m[i] * u[d]) * inverse_r;
  }

  static double& lane(aligned_vector<chunk>& chunks, int item, int items, int direction) {
    return reinterpret_cast<double*>(&chunks[std::size_t(direction / LANES) * items + item])[direction % LANES];
  }

  void contract() {
    double* m = moments_.data();
    for (const Contraction& c : p_.contractions)
      for (int i = c.begin; i < c.end; ++i) {
        const Product& t = p_.products[i];
        m[c.out] += t.factor * m[t.left] * m[t.right];
      }
    double* a = adjoints_.data();
    std::fill(adjoints_.begin(), adjoints_.end(), 0.0);
    for (std::size_t b = 0; b < p_.scalars.size(); ++b) a[p_.scalars[b]] += p_.moment_coefficients[b];
    for (auto c = p_.contractions.rbegin(); c != p_.contractions.rend(); ++c)
      for (int i = c->begin; i < c->end; ++i) {
        const Product& t = p_.products[i];
        const double scaled = t.factor * a[c->out];
        a[t.left] += scaled * m[t.right];
        a[t.right] += scaled * m[t.left];
      }
  }

  // R: the registers of the chunk that hold directions.
  template <int R>
  void contract_tangents() {
    std::fill(tangent_.begin() + p_.basic_count, tangent_.end(), chunk{});
    const double* m = moments_.data();
    chunk* d = tangent_.data();
    for (const Contraction& c : p_.contractions) {
      vec sum[R];
      for (int r = 0; r < R; ++r) sum[r] = d[c.out][r];
      for (int i = c.begin; i < c.end; ++i) {
        const Product& t = p_.products[i];
        const double by_left = t.factor * m[t.right], by_right = t.factor * m[t.left];
        for (int r = 0; r < R; ++r) sum[r] += by_left * d[t.left][r] + by_right * d[t.right][r];
      }
      for (int r = 0; r < R; ++r) d[c.out][r] = sum[r];
    }
  }

  template <int R>
  void contract_adjoint_tangents() {
    std::fill(adjoint_tangent_.begin(), adjoint_tangent_.end(), chunk{});
    const double* m = moments_.data();
    const chunk* d = tangent_.data();
    chunk* a = adjoint_tangent_.data();
    for (auto c = p_.contractions.rbegin(); c != p_.contractions.rend(); ++c) {
      const double adjoint = adjoints_[c->out];
      vec out[R];
      for (int r = 0; r < R; ++r) out[r] = a[c->out][r];
      for (int i = c->begin; i < c->end; ++i) {
        const Product& t = p_.products[i];
        const double scaled = t.factor * adjoint, by_left = t.factor * m[t.right], by_right = t.factor * m[t.left];
        for (int r = 0; r < R; ++r) {
          a[t.left][r] += by_left * out[r] + scaled * d[t.right][r];
          a[t.right][r] += by_right * out[r] + scaled * d[t.left][r];
        }
      }
    }
  }

  template <class Body>
  static void for_registers(int directions, Body body) {
    switch (std::min(CH, (directions + W - 1) / W)) {
      case 1: return body.template operator()<1>();
      case 2: return body.template operator()<2>();
      case 3: return body.template operator()<3>();
      default: return body.template operator()<4>();
    }
  }

  // The derivative `slope` of ∂V/∂r along one parameter, for the directions of chunk `c`, into the rows of forces and virial.
  void scatter(double* row, int c, const chunk& slope) {
    const int begin = c * LANES, end = std::min(3 * count_, begin + LANES);
    const double* slopes = reinterpret_cast<const double*>(&slope);
    double own[3] = {0, 0, 0};
    for (int k = begin; k < end; ++k) {
      const double g = slopes[k - begin];
      row[rows_[k]] -= g;
      own[k % 3] += g;
    }
    for (int d = 0; d < 3; ++d) row[own_row_ + d] += own[d];
    for (int v = 0; v < 6; ++v) {
      const chunk& weight = virial_weights_[std::size_t(c) * 6 + v];
      vec sum{};
      for (int i = 0; i < CH; ++i) sum += weight[i] * slope[i];
      for (int l = 0; l < W; ++l) row[virial_row_ + v] += sum[l];
    }
  }

  void linear_part(int type) {
    const std::size_t first = p_.radial.size() + p_.species_count;
    out_[(p_.radial.size() + type) * stride_] += 1;
    for (std::size_t b = 0; b < p_.scalars.size(); ++b) out_[(first + b) * stride_] += moments_[p_.scalars[b]];
    for (int c = 0; c < chunks_; ++c) {
      std::copy_n(basic_tangents_.begin() + std::size_t(c) * p_.basic_count, p_.basic_count, tangent_.begin());
      for_registers(3 * count_ - c * LANES, [&]<int R>() { contract_tangents<R>(); });
      for (std::size_t b = 0; b < p_.scalars.size(); ++b)
        scatter(out_ + (first + b) * stride_, c, tangent_[p_.scalars[b]]);
    }
  }

  // Radial coefficients of this centre, species by species of the neighbours that are there.
  void radial_part(int type) {
    const int FK = p_.radial_count * p_.chebyshev_count;
    neighbor_adjoints();
    for (int species = 0; species < p_.species_count; ++species) {
      members_.clear();
      for (int j = 0; j < count_; ++j)
        if (neighbors_[j].type == species) members_.push_back(j);
      if (members_.empty()) continue;
      double* rows = out_ + std::size_t(type * p_.species_count + species) * FK * stride_;
      sum_radial_moments();
      for (int begin = 0; begin < FK; begin += LANES) radial_chunk(begin, std::min(FK, begin + LANES), rows);
    }
  }

  // g_μ = ∂V/∂f_μ of every neighbour and its gradient along that neighbour's unit vector.
  void neighbor_adjoints() {
    const int F = p_.radial_count, X = p_.monomial_count;
    g_.assign(std::size_t(count_) * F, 0);
    dg_.assign(std::size_t(count_) * F * 3, 0);
    for (int j = 0; j < count_; ++j)
      for (int i = 0; i < X; ++i)
        for (int mu = 0; mu < p_.mu_count[i]; ++mu) {
          const double a = adjoints_[p_.first_basic[i] + mu];
          g_[j * F + mu] += a * monomials_[std::size_t(j) * X + i];
          for (int d = 0; d < 3; ++d) dg_[(j * F + mu) * 3 + d] += a * gradients_[(std::size_t(j) * X + i) * 3 + d];
        }
  }

  // Σ_j Q_k(r_j) r̂_j^e over the neighbours of one species: the slope of the basic moment (μ, e) along c_{μk}, whatever μ.
  void sum_radial_moments() {
    const int K = p_.chebyshev_count, X = p_.monomial_count;
    radial_moments_.assign(std::size_t(X) * K, 0);
    for (int j : members_)
      for (int i = 0; i < X; ++i) {
        const double m = monomials_[std::size_t(j) * X + i];
        for (int k = 0; k < K; ++k) radial_moments_[i * K + k] += q_[j * K + k] * m;
      }
  }

  void radial_chunk(int begin, int end, double* rows) {
    const int F = p_.radial_count, K = p_.chebyshev_count, X = p_.monomial_count;
    std::fill(tangent_.begin(), tangent_.begin() + p_.basic_count, chunk{});
    for (int i = 0; i < X; ++i)
      for (int mu = 0; mu < p_.mu_count[i]; ++mu) {
        double* lanes = reinterpret_cast<double*>(&tangent_[p_.first_basic[i] + mu]);
        for (int c = std::max(begin, mu * K); c < std::min(end, (mu + 1) * K); ++c)
          lanes[c - begin] = radial_moments_[i * K + c - mu * K];
      }
    for_registers(end - begin, [&]<int R>() {
      contract_tangents<R>();
      contract_adjoint_tangents<R>();
    });
    constexpr int P = 4;  // parameters that share a load of the tangents
    for (int group = begin; group < end; group += P)
      for (int c = 0; c < chunks_; ++c) {
        chunk sum[P]{};
        const chunk* tangents = basic_tangents_.data() + std::size_t(c) * p_.basic_count;
        for (int b = 0; b < p_.basic_count; ++b)
          for (int k = 0; k < P; ++k) {
            const double a = adjoint_tangent_[b][(group + k - begin) / W][(group + k - begin) % W];
            for (int i = 0; i < CH; ++i) sum[k][i] += a * tangents[b][i];
          }
        for (int k = 0; k < P && group + k < end; ++k) {
          add_explicit(group + k, c, sum[k]);
          scatter(rows + (group + k) * stride_, c, sum[k]);
        }
      }
    for (int c = begin; c < end; ++c)
      for (int j : members_) rows[c * stride_] += g_[j * F + c / K] * q_[j * K + c % K];
  }

  // A·∂²M/∂r∂c: the radial basis function itself and its slope.
  void add_explicit(int parameter, int c, chunk& sum) const {
    const int F = p_.radial_count, K = p_.chebyshev_count, mu = parameter / K, k = parameter % K;
    const int begin = c * LANES;
    for (int j : members_) {
      if (3 * j + 2 < begin || 3 * j >= begin + LANES) continue;
      const double u[3] = {neighbors_[j].x, neighbors_[j].y, neighbors_[j].z};
      const double slope = dq_[j * K + k] * g_[j * F + mu] / std::sqrt(u[0] * u[0] + u[1] * u[1] + u[2] * u[2]);
      for (int d = 0; d < 3; ++d) {
        const int at = 3 * j + d - begin;
        if (at >= 0 && at < LANES) sum[at / W][at % W] += slope * u[d] + q_[j * K + k] * dg_[(j * F + mu) * 3 + d];
      }
    }
  }

  const Potential& p_;
  const Neighbor* neighbors_ = nullptr;
  int count_ = 0, chunks_ = 0;
  double* out_ = nullptr;
  int64_t stride_ = 0, own_row_ = 0, virial_row_ = 0;
  std::vector<std::array<int, 3>> exponents_;
  std::vector<double> moments_, adjoints_, q_, dq_, f_, monomials_, gradients_, g_, dg_, radial_moments_;
  std::vector<int64_t> rows_;
  std::vector<int> members_;
  aligned_vector<chunk> tangent_, adjoint_tangent_, basic_tangents_, virial_weights_;
};

}  // namespace detail

// (parameters, rows) of all structures; rows of a structure: energy, 3·atoms forces, six virials. `out` must be zero.
inline void jacobian(const Potential& p, const Structures& s, double* out) {
  NeighborList list(s, p.cutoff);
  detail::NeighborhoodJacobian neighborhood(p);
  const int64_t stride = 7 * int64_t(s.count) + 3 * s.offsets[s.count];
  int64_t column = 0;
  for (int k = 0; k < s.count; ++k) {
    const int64_t first = s.offsets[k], atoms = s.offsets[k + 1] - first;
    list.find(first, first + atoms);
    for (int64_t i = first; i < first + atoms; ++i)
      neighborhood.add(list.begin(i), list.count(i), s.types[i], i, first, atoms, out + column, stride);
    column += 7 + 3 * atoms;
  }
}
