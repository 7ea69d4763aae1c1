// Derivatives of energies, forces and virials with respect to all parameters, which a fit needs.
//
// For one neighbourhood, with moments m, basic moments M and adjoints A = ∂V/∂M:
//   linear coefficients   ∂²V/∂r ∂ξ_α = ∂B_α/∂r                         tangents of the contraction table along the neighbours' r
//   radial coefficients   ∂²V/∂r ∂c   = A·∂²M/∂r∂c + (∂A/∂c)·∂M/∂r      tangents of the table and of its adjoint along c
// SIMD lanes are directions in the first line, coefficients c in the second, whose last term is a matrix product.
//
// What is carried through the table and behind it is in single precision: the derivatives say which way a fit goes, and 7 digits of
// them do, while its loss is computed from energies and forces in double precision.
//
// Three more directions stand behind the last neighbour: minus the sum over all neighbours (the force on the centre) and minus
// Σ r ⊗ ∂/∂r (the virial), so that one sum serves all rows of a structure.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "local/neighbor_list.hpp"
#include "local/simd.hpp"
#include "mtp/contraction.hpp"
#include "mtp/potential.hpp"
#include "mtp/radial.hpp"

namespace alflow {

namespace detail {

constexpr int FW = 2 * W;
using fvec = float __attribute__((vector_size(FW * sizeof(float))));
constexpr int CH = 4;  // registers of a chunk of directions or coefficients
using chunk = std::array<fvec, CH>;

inline double sum_of_lanes(vec v) {
  for (int half = W / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) v[l] += v[l + half];
  return v[0];
}

inline int registers(int count) { return (count + FW - 1) / FW; }

template <class T>
float* floats(T& x) {
  return reinterpret_cast<float*>(&x);
}

// Calls body with the number of registers as a compile-time constant.
template <class Body>
void for_registers(int count, Body body) {
  switch (count) {
    case 1: return body.template operator()<1>();
    case 2: return body.template operator()<2>();
    case 3: return body.template operator()<3>();
    default: return body.template operator()<4>();
  }
}

class NeighborhoodJacobian {
 public:
  explicit NeighborhoodJacobian(const Potential& p)
      : p_(p), coefficients_(p.radial_count * p.chebyshev_count), width_(registers(coefficients_)), moments_(p.moment_count),
        adjoints_(p.moment_count), float_moments_(p.moment_count), tangent_(p.moment_count), adjoint_tangent_(p.moment_count) {
    for (int rank = 0; rank <= p.max_rank; ++rank)
      for (int a = rank; a >= 0; --a)
        for (int b = rank - a; b >= 0; --b) {
          const int c = rank - a - b, i = int(exponents_.size());
          exponents_.push_back({a, b, c});
          for (int mu = 0; mu < p.radial_count; ++mu)
            if (rank == p.families[mu].rank || rank == p.families[mu].rank - 1) summed_.push_back({i, mu, p.moment(mu, a, b, c)});
        }
    energy_.resize(coefficients_);
    explicit_.resize(width_);
  }

  // Begins a structure whose atoms are [first, first + atoms). `out` is (parameters, stride): column 0 is the energy's, the next
  // 3·atoms are the forces', the last six the virial's (xx yy zz yz xz xy).
  void begin(int64_t first, int64_t atoms, double* out, int64_t stride) {
    first_ = first;
    atoms_ = atoms;
    out_ = out;
    stride_ = stride;
    radial_rows_.assign(std::size_t(7 + 3 * atoms) * p_.species_count * p_.species_count * width_, fvec{});
  }

  void add(const Neighbor* neighbors, int count, int type, int64_t atom) {
    neighbors_ = neighbors;
    count_ = count;
    blocks_ = (count + 3 + W - 1) / W;
    directions_ = registers(3 * blocks_ * W);
    number_rows(atom);
    neighbor_terms(type);
    sum_over_neighbors();
    contract();
    linear_part(type);
    radial_part(type);
  }

  // Writes the rows of the radial coefficients, which are summed with the coefficients side by side.
  void end() {
    const int64_t rows = 7 + 3 * atoms_;
    const int pairs = p_.species_count * p_.species_count;
    for (int pair = 0; pair < pairs; ++pair)
      for (int64_t row = 0; row < rows; ++row) {
        const float* values = floats(*radial_row(row, pair));
        for (int c = 0; c < coefficients_; ++c) out_[(pair * coefficients_ + c) * stride_ + row] += values[c];
      }
  }

 private:
  // A moment that is summed over neighbours.
  struct Summed {
    int monomial, mu, basic;
  };

  fvec* radial_row(int64_t row, int pair) {
    return &radial_rows_[(std::size_t(row) * p_.species_count * p_.species_count + pair) * width_];
  }

  // Row of direction d of every neighbour, and of the three extra ones: force on the centre, virial.
  void number_rows(int64_t atom) {
    rows_.assign(directions_ * FW, 0);  // absent directions add zero to the first row
    const int slots = blocks_ * W;
    for (int d = 0; d < 3; ++d) {
      for (int j = 0; j < count_; ++j) rows_[d * slots + j] = 1 + 3 * (neighbors_[j].atom - first_) + d;
      rows_[d * slots + count_] = 1 + 3 * (atom - first_) + d;
      rows_[d * slots + count_ + 1] = 1 + 3 * atoms_ + d;
      rows_[d * slots + count_ + 2] = 1 + 3 * atoms_ + 3 + d;
    }
  }

  // Per neighbour: radial functions, monomials of the unit vector and their gradients. Absent neighbours sit at the cutoff, where
  // radial functions and their slopes vanish.
  void neighbor_terms(int type) {
    const int F = p_.radial_count, K = p_.chebyshev_count, X = int(exponents_.size());
    position_.resize(3 * blocks_);
    unit_.resize(3 * blocks_);
    q_.resize(blocks_ * K);
    dq_.resize(blocks_ * K);
    f_.resize(blocks_ * F);
    df_.resize(blocks_ * F);
    monomials_.resize(std::size_t(blocks_) * X);
    gradients_.resize(std::size_t(blocks_) * X * 3);
    for (int b = 0; b < blocks_; ++b) {
      vec* r = &position_[3 * b];
      for (int l = 0; l < W; ++l) {
        const int j = b * W + l;
        const Neighbor n = j < count_ ? neighbors_[j] : Neighbor{p_.cutoff, 0, 0, -1, 0};
        double* lane = reinterpret_cast<double*>(r) + l;
        lane[0] = n.x;
        lane[W] = n.y;
        lane[2 * W] = n.z;
      }
      const vec distance = square_root(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]), inverse = 1.0 / distance;
      vec* u = &unit_[3 * b];
      for (int d = 0; d < 3; ++d) u[d] = r[d] * inverse;
      vec *q = &q_[b * K], *dq = &dq_[b * K];
      if (p_.core) {  // its energy does not depend on the parameters
        CoreLanes cores{};
        for (int l = 0; l < W && b * W + l < count_; ++l) cores[l] = &p_.core.of(type, type_of(b * W + l));
        radial_basis_and_core(p_, distance, cores, q, dq);
      } else radial_basis(p_, distance, q, dq);
      for (int mu = 0; mu < F; ++mu) {
        vec f{}, df{};
        for (int k = 0; k < K; ++k) {
          vec c{};
          if (p_.species_count == 1) c = splat(p_.radial[mu * K + k]);
          else
            for (int l = 0; l < W; ++l) c[l] = p_.radial_of(type, type_of(b * W + l))[mu * K + k];
          f += c * q[k];
          df += c * dq[k];
        }
        f_[b * F + mu] = f;
        df_[b * F + mu] = df;
      }
      for (int k = 0; k < K; ++k) {  // now ∂f/∂c and its slope
        q[k] *= p_.scaling;
        dq[k] *= p_.scaling;
      }
      for (int i = 0; i < X; ++i) monomial(u, inverse, i, &monomials_[std::size_t(b) * X], &gradients_[std::size_t(b) * X * 3]);
    }
  }

  int type_of(int slot) const { return slot < count_ ? neighbors_[slot].type : 0; }

  // u^e and its gradient with respect to r: (e_d u^(e - e_d) - |e| u^e u_d) / r.
  void monomial(const vec* u, vec inverse_r, int i, vec* m, vec* g) const {
    const auto& e = exponents_[i];
    const int rank = e[0] + e[1] + e[2];
    vec lowered[3] = {};
    m[i] = splat(1);
    for (int d = 0; d < 3; ++d)
      if (e[d]) {
        auto less = e;
        --less[d];
        const vec below = m[monomial_index(less[0], less[1], less[2])];
        lowered[d] = double(e[d]) * below;
        m[i] = below * u[d];
      }
    for (int d = 0; d < 3; ++d) g[3 * i + d] = (lowered[d] - double(rank) * m[i] * u[d]) * inverse_r;
  }

  // Basic moments, and their tangents along every direction: tangents_[register][basic], whose lanes are the directions.
  void sum_over_neighbors() {
    using half = float __attribute__((vector_size(W * sizeof(float))));
    const int F = p_.radial_count, X = int(exponents_.size()), M = p_.basic_count;
    tangents_.assign(std::size_t(directions_) * M, fvec{});
    for (const Summed& s : summed_) {
      vec moment{}, own[3]{}, virial[6]{};
      for (int b = 0; b < blocks_; ++b) {
        const vec f = f_[b * F + s.mu], *u = &unit_[3 * b], *r = &position_[3 * b];
        const vec m = monomials_[std::size_t(b) * X + s.monomial], *g = &gradients_[(std::size_t(b) * X + s.monomial) * 3];
        const vec along = df_[b * F + s.mu] * m;
        moment += f * m;
        vec t[3];
        for (int d = 0; d < 3; ++d) {
          t[d] = along * u[d] + f * g[d];
          const auto single = __builtin_convertvector(t[d], half);
          __builtin_memcpy(tangent(s.basic, d, b * W), &single, sizeof(single));
          own[d] -= t[d];
          virial[d] -= r[d] * t[d];
        }
        // symmetric as a sum over all neighbours of all atoms: both orders, half each
        virial[3] -= 0.5 * (r[1] * t[2] + r[2] * t[1]);
        virial[4] -= 0.5 * (r[0] * t[2] + r[2] * t[0]);
        virial[5] -= 0.5 * (r[0] * t[1] + r[1] * t[0]);
      }
      moments_[s.basic] = sum_of_lanes(moment);
      for (int d = 0; d < 3; ++d) {
        *tangent(s.basic, d, count_) = float(sum_of_lanes(own[d]));
        *tangent(s.basic, d, count_ + 1) = float(sum_of_lanes(virial[d]));
        *tangent(s.basic, d, count_ + 2) = float(sum_of_lanes(virial[3 + d]));
      }
    }
    p_.fill_sums(moments_.data());
    for (int v = 0; v < directions_; ++v) p_.fill_sums(&tangents_[std::size_t(v) * M]);
  }

  float* tangent(int basic, int d, int slot) {
    const int direction = d * blocks_ * W + slot;
    return floats(tangents_[std::size_t(direction / FW) * p_.basic_count + basic]) + direction % FW;
  }

  void contract() {
    std::fill(moments_.begin() + p_.basic_count, moments_.end(), 0.0);
    alflow::contract(p_, moments_.data());
    contract_adjoint(p_, moments_.data(), adjoints_.data());
    std::copy(moments_.begin(), moments_.end(), float_moments_.begin());
  }

  // R: the registers of the chunk that hold directions.
  template <int R>
  void contract_tangents() {
    std::fill(tangent_.begin() + p_.basic_count, tangent_.end(), chunk{});
    const float* m = float_moments_.data();
    chunk* d = tangent_.data();
    for (const Contraction& c : p_.contractions) {
      fvec sum[R];
      for (int r = 0; r < R; ++r) sum[r] = d[c.out][r];
      for (int i = c.begin; i < c.end; ++i) {
        const Product& t = p_.products[i];
        const float factor = float(t.factor), by_left = factor * m[t.right], by_right = factor * m[t.left];
        for (int r = 0; r < R; ++r) sum[r] += by_left * d[t.left][r] + by_right * d[t.right][r];
      }
      for (int r = 0; r < R; ++r) d[c.out][r] = sum[r];
    }
  }

  template <int R>
  void contract_adjoint_tangents() {
    std::fill(adjoint_tangent_.begin(), adjoint_tangent_.end(), chunk{});
    const float* m = float_moments_.data();
    const chunk* d = tangent_.data();
    chunk* a = adjoint_tangent_.data();
    for (auto c = p_.contractions.rbegin(); c != p_.contractions.rend(); ++c) {
      const float adjoint = float(adjoints_[c->out]);
      fvec out[R];
      for (int r = 0; r < R; ++r) out[r] = a[c->out][r];
      for (int i = c->begin; i < c->end; ++i) {
        const Product& t = p_.products[i];
        const float factor = float(t.factor), scaled = factor * adjoint, by_left = factor * m[t.right], by_right = factor * m[t.left];
        for (int r = 0; r < R; ++r) {
          a[t.left][r] += by_left * out[r] + scaled * d[t.right][r];
          a[t.right][r] += by_right * out[r] + scaled * d[t.left][r];
        }
      }
    }
  }

  void linear_part(int type) {
    const std::size_t first = p_.radial.size() + p_.species_count, M = p_.basic_count;
    out_[(p_.radial.size() + type) * stride_] += 1;
    for (std::size_t b = 0; b < p_.scalars.size(); ++b) out_[(first + b) * stride_] += moments_[p_.scalars[b]];
    for (int begin = 0; begin < directions_; begin += CH) {
      const int count = std::min(CH, directions_ - begin);
      for (int r = 0; r < count; ++r)
        for (std::size_t b = 0; b < M; ++b) tangent_[b][r] = tangents_[(begin + r) * M + b];
      for_registers(count, [&]<int R>() { contract_tangents<R>(); });
      for (std::size_t b = 0; b < p_.scalars.size(); ++b) {
        const float* slopes = floats(tangent_[p_.scalars[b]]);
        double* row = out_ + (first + b) * stride_;
        for (int l = 0; l < count * FW; ++l) row[rows_[begin * FW + l]] -= slopes[l];
      }
    }
  }

  // Radial coefficients of this centre, species by species of the neighbours that are there.
  void radial_part(int type) {
    neighbor_adjoints();
    for (int species = 0; species < p_.species_count; ++species) {
      members_.clear();
      for (int j = 0; j < count_; ++j)
        if (neighbors_[j].type == species) members_.push_back(j);
      if (members_.empty()) continue;
      pair_ = type * p_.species_count + species;
      gather_radial_basis();
      sum_radial_moments();
      // chunks of like size
      const int chunks = (width_ + CH - 1) / CH;
      for (int c = 0; c < chunks; ++c) {
        const int begin = width_ * c / chunks, end = width_ * (c + 1) / chunks;
        for_registers(end - begin, [&]<int R>() { radial_chunk<R>(begin); });
      }
      explicit_part();
    }
  }

  // g_μ = ∂V/∂f_μ of every neighbour, times its unit vector for the slope of f, and the gradient of g_μ.
  void neighbor_adjoints() {
    const int F = p_.radial_count, X = int(exponents_.size());
    g_.assign(std::size_t(blocks_) * F, vec{});
    dg_.assign(std::size_t(blocks_) * F * 3, vec{});
    for (int b = 0; b < blocks_; ++b)
      for (const Summed& s : summed_) {
        const double a = adjoints_[s.basic];
        g_[b * F + s.mu] += a * monomials_[std::size_t(b) * X + s.monomial];
        for (int d = 0; d < 3; ++d) dg_[(b * F + s.mu) * 3 + d] += a * gradients_[(std::size_t(b) * X + s.monomial) * 3 + d];
      }
  }

  // Q_k and Q'_k of the members, k side by side.
  void gather_radial_basis() {
    const int K = p_.chebyshev_count, stride = registers(K);
    basis_.assign(members_.size() * stride, fvec{});
    slope_.assign(members_.size() * stride, fvec{});
    for (std::size_t n = 0; n < members_.size(); ++n)
      for (int k = 0; k < K; ++k) {
        const int block = members_[n] / W, lane = members_[n] % W;
        floats(basis_[n * stride])[k] = float(q_[block * K + k][lane]);
        floats(slope_[n * stride])[k] = float(dq_[block * K + k][lane]);
      }
  }

  // Σ_j Q_k(r_j) r̂_j^e over the neighbours of one species: the slope of the basic moment (μ, e) along c_{μk}, whatever μ.
  void sum_radial_moments() {
    const int X = int(exponents_.size()), stride = registers(p_.chebyshev_count);
    radial_moments_.assign(std::size_t(X) * stride, fvec{});
    const int begin = monomials_below_rank(std::max(0, p_.max_rank - 1));
    for (std::size_t n = 0; n < members_.size(); ++n) {
      const vec* m = &monomials_[std::size_t(members_[n] / W) * X];
      for (int i = begin; i < X; ++i) {
        const float value = float(m[i][members_[n] % W]);
        for (int k = 0; k < stride; ++k) radial_moments_[i * stride + k] += value * basis_[n * stride + k];
      }
    }
    for (int i = begin - 1; i >= 0; --i) {
      const auto [a, b, c] = exponents_[i];
      for (int up : {monomial_index(a + 2, b, c), monomial_index(a, b + 2, c), monomial_index(a, b, c + 2)})
        for (int k = 0; k < stride; ++k) radial_moments_[i * stride + k] += radial_moments_[up * stride + k];
    }
  }

  // (∂A/∂c)·∂M/∂r for the coefficients in the registers [begin, begin + R).
  template <int R>
  void radial_chunk(int begin) {
    const int K = p_.chebyshev_count, stride = registers(K), M = p_.basic_count;
    std::fill(tangent_.begin(), tangent_.begin() + M, chunk{});
    for (std::size_t i = 0; i < exponents_.size(); ++i) {
      const float* moments = floats(radial_moments_[i * stride]);
      const auto [a, b, c] = exponents_[i];
      for (int mu = 0; mu < p_.radial_count; ++mu) {
        if (a + b + c > p_.families[mu].rank) continue;
        const int from = std::max(begin * FW, mu * K), to = std::min((begin + R) * FW, (mu + 1) * K);
        if (from < to)
          std::copy(moments + from - mu * K, moments + to - mu * K, floats(tangent_[p_.moment(mu, a, b, c)]) + from - begin * FW);
      }
    }
    contract_tangents<R>();
    contract_adjoint_tangents<R>();
    p_.spread_sums(adjoint_tangent_.data(), [](chunk& to, const chunk& from) {
      for (int r = 0; r < R; ++r) to[r] += from[r];
    });
    constexpr int D = std::min(FW, R < 4 ? 8 : 4);  // directions at a time: D · R sums stay in registers
    for (int first = 0; first < 3 * blocks_ * W; first += D) {
      const fvec* tangents = &tangents_[std::size_t(first / FW) * M];
      const chunk* a = adjoint_tangent_.data();
      fvec sum[D][R]{};
      for (const Summed& s : summed_)
        for (int l = 0; l < D; ++l) {
          const float t = tangents[s.basic][first % FW + l];
          for (int r = 0; r < R; ++r) sum[l][r] += t * a[s.basic][r];
        }
      for (int l = 0; l < D; ++l) {
        fvec* row = radial_row(rows_[first + l], pair_) + begin;
        for (int r = 0; r < R; ++r) row[r] -= sum[l][r];
      }
    }
  }

  // A·∂²M/∂r∂c: the radial basis function itself and its slope. Also the derivative of the energy.
  void explicit_part() {
    const int F = p_.radial_count, K = p_.chebyshev_count, stride = registers(K), slots = blocks_ * W;
    constexpr int voigt[3][3] = {{0, 5, 4}, {5, 1, 3}, {4, 3, 2}};
    std::fill(energy_.begin(), energy_.end(), 0.0);
    for (std::size_t n = 0; n < members_.size(); ++n) {
      const int j = members_[n], block = j / W, lane = j % W;
      const float *basis = floats(basis_[n * stride]), *slope = floats(slope_[n * stride]);
      const double x[3] = {neighbors_[j].x, neighbors_[j].y, neighbors_[j].z};
      for (int mu = 0; mu < F; ++mu)
        for (int k = 0; k < K; ++k) energy_[mu * K + k] += g_[block * F + mu][lane] * q_[block * K + k][lane];
      for (int d = 0; d < 3; ++d) {
        for (int mu = 0; mu < F; ++mu) {
          const float along = float(g_[block * F + mu][lane] * unit_[3 * block + d][lane]);
          const float across = float(dg_[(block * F + mu) * 3 + d][lane]);
          float* value = floats(explicit_[0]) + mu * K;
          for (int k = 0; k < K; ++k) value[k] = along * slope[k] + across * basis[k];
        }
        fvec* row = radial_row(rows_[d * slots + j], pair_);
        fvec* own = radial_row(rows_[d * slots + count_], pair_);
        for (int r = 0; r < width_; ++r) {
          row[r] -= explicit_[r];
          own[r] += explicit_[r];
        }
        for (int e = 0; e < 3; ++e) {
          fvec* virial = radial_row(1 + 3 * atoms_ + voigt[d][e], pair_);
          const float weight = float((d == e ? 1.0 : 0.5) * x[e]);
          for (int r = 0; r < width_; ++r) virial[r] += weight * explicit_[r];
        }
      }
    }
    for (int c = 0; c < coefficients_; ++c) out_[(pair_ * coefficients_ + c) * stride_] += energy_[c];
  }

  const Potential& p_;
  const int coefficients_, width_;  // F·K radial coefficients of a pair of species, and the registers that hold them
  const Neighbor* neighbors_ = nullptr;
  int count_ = 0, blocks_ = 0, directions_ = 0, pair_ = 0;
  double* out_ = nullptr;
  int64_t stride_ = 0, first_ = 0, atoms_ = 0;
  std::vector<std::array<int, 3>> exponents_;
  std::vector<Summed> summed_;
  std::vector<double> moments_, adjoints_, energy_;
  std::vector<float> float_moments_;
  std::vector<int64_t> rows_;
  std::vector<int> members_;
  aligned_vector<vec> position_, unit_, q_, dq_, f_, df_, monomials_, gradients_, g_, dg_;
  aligned_vector<fvec> basis_, slope_, explicit_, radial_moments_, tangents_, radial_rows_;
  aligned_vector<chunk> tangent_, adjoint_tangent_;
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
    neighborhood.begin(first, atoms, out + column, stride);
    for (int64_t i = first; i < first + atoms; ++i) neighborhood.add(list.begin(i), list.count(i), s.types[i], i);
    neighborhood.end();
    column += 7 + 3 * atoms;
  }
}

}  // namespace alflow
