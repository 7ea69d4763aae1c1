// Energies, forces, virials, basis values and parameter gradients of many structures. SIMD lanes are atoms:
// eight atoms with like numbers of neighbours are computed together, neighbour n of all of them at once.
//
// For a batch:  (1) radial functions f_μ(r), f'_μ(r) of every neighbour;  (2) monomials of the unit vector û, summed into the basic
// moments M;  (3) the contraction table forward;  (4) its adjoint, A = ∂V/∂M;  (5) per neighbour again the monomials, from which
// ∂V/∂f_μ and ∂V/∂û follow by the reverse recursion. No Jacobian of the moments is ever stored.
#pragma once

#include <algorithm>
#include <cmath>
#include <exception>
#include <numeric>
#include <thread>

#include "neighbors.hpp"
#include "potential.hpp"
#include "radial.hpp"
#include "simd.hpp"

struct Output {
  double* energies;   // (atoms)
  double* forces;     // (atoms, 3) or null
  double* virials;    // (structures, 3, 3) sum of r_ij ⊗ ∂V_i/∂r_ij, or null; comes with forces
  double* basis;      // (atoms, B) or null
  double* gradients;  // (atoms, parameters) or null
  double* min_distances;  // (structures)
  const double* grade_matrix;  // (parameters, rank)
  int rank;
  double* grades;  // (atoms) largest magnitude in gradient · grade_matrix, infinite where that is no number; or null
};

namespace detail {

constexpr int Q = 4;  // neighbours that share a load of a moment

class BatchEvaluator {
 public:
  BatchEvaluator(const Potential& p, const Structures& s, const NeighborList& list, const std::vector<int32_t>& structure_of)
      : p_(p), s_(s), list_(list), structure_of_(structure_of), moments_(p.moment_count), adjoints_(p.moment_count),
        monomials_(std::size_t(p.monomial_count) * Q), monomial_adjoints_(std::size_t(p.monomial_count) * Q),
        dq_(p.chebyshev_count), row_(p.radial.size() / p.species_count + 1 + p.scalars.size()) {}

  // atoms: up to W atoms; unused lanes repeat the first one with no neighbours.
  void run(const int32_t* atoms, int lanes, const Output& out, double* forces, double* virials) {
    atoms_ = atoms;
    lanes_ = lanes;
    with_rows_ = out.gradients || out.grades;
    gather();
    radial_pass();
    sum_moments();
    contract();
    write_basis(out);
    if (!forces && !with_rows_) return;
    contract_adjoint();
    p_.spread_sums(adjoints_.data(), [](vec& to, const vec& from) { to += from; });
    std::fill(row_.begin(), row_.end(), splat(0));
    backward(forces, virials);
    if (!with_rows_) return;
    finish_rows();
    if (out.gradients) write_gradients(out.gradients);
    if (out.grades) write_grades(out);
  }

 private:
  struct Pair { vec u[3], inverse_r, r; };  // û, or the whole of r before radial_pass()

  // Neighbours of all lanes side by side. An absent one sits at the cutoff, where radial functions and their slopes vanish.
  void gather() {
    int longest = 0;
    for (int l = 0; l < lanes_; ++l) longest = std::max(longest, list_.count(atoms_[l]));
    count_ = (longest + Q - 1) / Q * Q;
    pairs_.resize(count_);
    neighbor_atom_.resize(std::size_t(count_) * W);
    neighbor_type_.resize(std::size_t(count_) * W);
    constexpr std::size_t stride = sizeof(Pair) / sizeof(double);
    for (int l = 0; l < W; ++l) {
      const int32_t atom = atoms_[l < lanes_ ? l : 0];
      const Neighbor* neighbors = list_.begin(atom);
      const int present = l < lanes_ ? list_.count(atom) : 0;
      double* lane = reinterpret_cast<double*>(pairs_.data()) + l;  // û is the first three registers of a Pair
      for (int n = 0; n < count_; ++n, lane += stride) {
        const Neighbor neighbor = n < present ? neighbors[n] : Neighbor{p_.cutoff, 0, 0, -1, 0};
        lane[0] = neighbor.x;
        lane[W] = neighbor.y;
        lane[2 * W] = neighbor.z;
        neighbor_atom_[std::size_t(n) * W + l] = neighbor.atom;
        neighbor_type_[std::size_t(n) * W + l] = neighbor.type;
      }
    }
  }

  void radial_pass() {
    const int F = p_.radial_count, K = p_.chebyshev_count;
    f_.resize(std::size_t(count_) * F);
    df_.resize(std::size_t(count_) * F);
    q_.resize(std::size_t(with_rows_ ? count_ : 1) * K);
    for (int n = 0; n < count_; ++n) {
      Pair& pair = pairs_[n];
      const vec r = square_root(pair.u[0] * pair.u[0] + pair.u[1] * pair.u[1] + pair.u[2] * pair.u[2]);
      const vec inverse_r = 1.0 / r;
      pair = {{pair.u[0] * inverse_r, pair.u[1] * inverse_r, pair.u[2] * inverse_r}, inverse_r, r};
      vec* q = q_.data() + (with_rows_ ? std::size_t(n) * K : 0);
      radial_basis(p_, r, q, dq_.data());
      const double* coefficients[W] = {};
      if (p_.species_count > 1)
        for (int l = 0; l < W; ++l)
          coefficients[l] = p_.radial_of(s_.types[atoms_[l < lanes_ ? l : 0]], neighbor_type_[std::size_t(n) * W + l]);
      for (int mu = 0; mu < F; ++mu) {
        vec f{}, df{};
        for (int k = 0; k < K; ++k) {
          vec c;
          if (p_.species_count == 1) c = splat(p_.radial[mu * K + k]);
          else for (int l = 0; l < W; ++l) c[l] = coefficients[l][mu * K + k];
          f += c * q[k];
          df += c * dq_[k];
        }
        f_[std::size_t(n) * F + mu] = f;
        df_[std::size_t(n) * F + mu] = df;
      }
    }
  }

  // The monomials of a rank are x times all of the rank below, then y times those without x, then z times the last (see
  // monomial_index): calls body(axis, first parent, first child, how many).
  template <class Body>
  static void for_children(int rank, Body body) {
    const int below = monomials_below_rank(rank - 1), here = monomials_below_rank(rank), all = here - below;
    body(0, below, here, all);
    body(1, here - rank, here + all, rank);
    body(2, here - 1, here + all + rank, 1);
  }

  // The monomials of ranks 0 and 1, which are 1, x, y, z, need no recursion.
  struct Low { int first_mu, mu_count, first_moment; };
  Low low(int monomial) const {
    const Potential::Rank& r = p_.ranks[monomial > 0];
    return {r.first_mu, r.mu_count, r.first_basic + std::max(0, monomial - 1) * r.mu_count};
  }

  void start_monomials(const Pair* pair) {
    for (int q = 0; q < Q; ++q) {
      monomials_[q] = splat(1);
      for (int i = 1; i < low_count_; ++i) monomials_[i * Q + q] = pair[q].u[i - 1];
    }
  }

  void sum_low_moments(const vec* f) {
    for (int i = 0; i < low_count_; ++i) {
      const auto [first_mu, mu_count, first_moment] = low(i);
      for (int mu = first_mu; mu < mu_count; ++mu) {
        vec sum = moments_[first_moment + mu];
        for (int q = 0; q < Q; ++q) sum += f[q * p_.radial_count + mu] * monomials_[i * Q + q];
        moments_[first_moment + mu] = sum;
      }
    }
  }

  // Adds to g_μ = ∂V/∂f_μ and to ∂V/∂û.
  void low_adjoints(const vec* f, vec* g, vec (&du)[3][Q]) const {
    for (int i = 0; i < low_count_; ++i) {
      const auto [first_mu, mu_count, first_moment] = low(i);
      vec own[Q];
      for (int q = 0; q < Q; ++q) own[q] = monomial_adjoints_[i * Q + q];
      for (int mu = first_mu; mu < mu_count; ++mu) {
        const vec adjoint = adjoints_[first_moment + mu];
        for (int q = 0; q < Q; ++q) {
          own[q] += f[q * p_.radial_count + mu] * adjoint;
          g[q * p_.radial_count + mu] += monomials_[i * Q + q] * adjoint;
        }
      }
      for (int q = 0; q < Q && i > 0; ++q) du[i - 1][q] += own[q];
    }
  }

  // Monomials of one rank of Q unit vectors; times MU radial functions they are added to the moments.
  template <int MU, bool KEPT>
  void raise(int rank, const Pair* pair, const vec* f) {
    const Potential::Rank& r = p_.ranks[rank];
    vec fr[std::max(MU, 1)][Q];
    for (int mu = 0; mu < MU; ++mu)
      for (int q = 0; q < Q; ++q) fr[mu][q] = f[q * p_.radial_count + r.first_mu + mu];
    for_children(rank, [&](int axis, int parent, int child, int count) {
      const vec* from = monomials_.data() + parent * Q;
      vec* to = monomials_.data() + child * Q;
      vec* moment = moments_.data() + r.first_basic + (child - r.monomial) * r.mu_count + r.first_mu;
      vec u[Q];
      for (int q = 0; q < Q; ++q) u[q] = pair[q].u[axis];
      for (int i = 0; i < count; ++i, from += Q, to += Q, moment += r.mu_count) {
        vec m[Q];
        for (int q = 0; q < Q; ++q) {
          m[q] = u[q] * from[q];
          if constexpr (KEPT) to[q] = m[q];
        }
        for (int mu = 0; mu < MU; ++mu) {
          vec sum = moment[mu];
          for (int q = 0; q < Q; ++q) sum += fr[mu][q] * m[q];
          moment[mu] = sum;
        }
      }
    });
  }

  void sum_moments() {
    std::fill(moments_.begin(), moments_.end(), splat(0));
    for (int n = 0; n < count_; n += Q) {
      const vec* f = f_.data() + std::size_t(n) * p_.radial_count;
      const Pair* pair = pairs_.data() + n;
      start_monomials(pair);
      sum_low_moments(f);
      for (int rank = 2; rank <= p_.max_rank; ++rank)
        for_mu_count(p_.ranks[rank].summed(), [&]<int MU>() {
          if (rank < p_.max_rank) raise<MU, true>(rank, pair, f);
          else raise<MU, false>(rank, pair, f);
        });
    }
    p_.fill_sums(moments_.data());
  }

  void contract() {
    vec* m = moments_.data();
    for (const Contraction& c : p_.contractions) {
      vec sum = m[c.out];
      for (int i = c.begin; i < c.end; ++i) {
        const Product& t = p_.products[i];
        sum += t.factor * m[t.left] * m[t.right];
      }
      m[c.out] = sum;
    }
  }

  void contract_adjoint() {
    std::fill(adjoints_.begin(), adjoints_.end(), splat(0));
    for (std::size_t b = 0; b < p_.scalars.size(); ++b) adjoints_[p_.scalars[b]] += splat(p_.moment_coefficients[b]);
    vec* a = adjoints_.data();
    const vec* m = moments_.data();
    for (const Adjoint& row : p_.adjoints) {
      vec sum{};
      for (int i = row.begin; i < row.end; ++i) sum += a[p_.adjoint_terms[i].out] * m[p_.adjoint_terms[i].other];
      a[row.moment] += row.factor * sum;
    }
  }

  // Reverse of raise() for Q neighbours: adds to g_μ and ∂V/∂û, and determines the adjoints of the monomials of the rank below.
  template <int MU, bool HIGHEST>
  void lower(int rank, const Pair* pair, const vec* f, vec* g, vec (&du)[3][Q]) {
    const Potential::Rank& r = p_.ranks[rank];
    vec fr[std::max(MU, 1)][Q];
    for (int mu = 0; mu < MU; ++mu)
      for (int q = 0; q < Q; ++q) fr[mu][q] = f[q * p_.radial_count + r.first_mu + mu];
    for_children(rank, [&](int axis, int parent, int child, int count) {
      const vec* from = monomials_.data() + parent * Q;
      const vec* above = monomial_adjoints_.data() + child * Q;
      vec* below = monomial_adjoints_.data() + parent * Q;
      const vec* adjoint = adjoints_.data() + r.first_basic + (child - r.monomial) * r.mu_count + r.first_mu;
      vec u[Q], slope[Q], sum[std::max(MU, 1)][Q];
      for (int q = 0; q < Q; ++q) {
        u[q] = pair[q].u[axis];
        slope[q] = splat(0);
        for (int mu = 0; mu < MU; ++mu) sum[mu][q] = splat(0);
      }
      for (int i = 0; i < count; ++i, from += Q, above += Q, below += Q, adjoint += r.mu_count)
        for (int q = 0; q < Q; ++q) {
          vec own = splat(0);
          if constexpr (!HIGHEST) {
            own = above[q];
            slope[q] += own * from[q];
          }
          for (int mu = 0; mu < MU; ++mu) {
            own += fr[mu][q] * adjoint[mu];
            sum[mu][q] += adjoint[mu] * from[q];
          }
          below[q] = axis == 0 ? own * u[q] : below[q] + own * u[q];
        }
      for (int q = 0; q < Q; ++q) {
        for (int mu = 0; mu < MU; ++mu) {
          slope[q] += fr[mu][q] * sum[mu][q];
          g[q * p_.radial_count + r.first_mu + mu] += sum[mu][q] * u[q];
        }
        du[axis][q] += slope[q];
      }
    });
  }

  void backward(double* forces, double* virials) {
    const int F = p_.radial_count;
    vec own[3]{}, virial[9]{};
    g_.resize(std::size_t(Q) * F);
    for (int n = 0; n < count_; n += Q) {
      const Pair* pair = pairs_.data() + n;
      const vec* f = f_.data() + std::size_t(n) * F;
      const vec* df = df_.data() + std::size_t(n) * F;
      start_monomials(pair);
      for (int rank = 2; rank < p_.max_rank; ++rank) raise<0, true>(rank, pair, f);
      std::fill(g_.begin(), g_.end(), splat(0));
      vec du[3][Q];
      for (int q = 0; q < Q; ++q) du[0][q] = du[1][q] = du[2][q] = splat(0);
      for (int rank = p_.max_rank; rank >= 2; --rank)
        for_mu_count(p_.ranks[rank].summed(), [&]<int MU>() {
          if (rank < p_.max_rank) lower<MU, false>(rank, pair, f, g_.data(), du);
          else lower<MU, true>(rank, pair, f, g_.data(), du);
        });
      low_adjoints(f, g_.data(), du);
      if (with_rows_) add_coefficient_gradient(n);
      if (!forces) continue;
      for (int q = 0; q < Q; ++q) {
        const Pair& e = pair[q];
        vec radial{}, d[3], r[3];
        for (int mu = 0; mu < F; ++mu) radial += df[q * F + mu] * g_[q * F + mu];
        // ∂V/∂r = r̂ Σ f' g + (∂V/∂û − (∂V/∂û·û) û) / r
        for (int i = 0; i < 3; ++i) radial -= du[i][q] * e.u[i] * e.inverse_r;
        for (int i = 0; i < 3; ++i) {
          d[i] = radial * e.u[i] + du[i][q] * e.inverse_r;
          r[i] = e.u[i] * e.r;
        }
        for (int i = 0; i < 3; ++i) {
          own[i] += d[i];
          for (int j = 0; j < 3; ++j) virial[3 * i + j] += r[i] * d[j];
        }
        for (int l = 0; l < lanes_; ++l) {
          const int32_t j = neighbor_atom_[std::size_t(n + q) * W + l];
          if (j < 0) continue;
          for (int i = 0; i < 3; ++i) forces[3 * j + i] -= d[i][l];
        }
      }
    }
    if (!forces) return;
    for (int l = 0; l < lanes_; ++l) {
      for (int i = 0; i < 3; ++i) forces[3 * atoms_[l] + i] += own[i][l];
      for (int i = 0; i < 9; ++i) virials[9 * structure_of_[atoms_[l]] + i] += virial[i][l];
    }
  }

  // ∂V/∂c_{μk} of Q neighbours: Σ_j g_μ Q_k, in the lanes where the neighbour is of the species. Q_k of absent ones is zero.
  void add_coefficient_gradient(int n) {
    const int F = p_.radial_count, K = p_.chebyshev_count;
    vec* gradient = row_.data();
    for (int species = 0; species < p_.species_count; ++species, gradient += F * K) {
      vec here[Q];
      bool any = false;
      for (int q = 0; q < Q; ++q)
        for (int l = 0; l < W; ++l) {
          here[q][l] = neighbor_type_[std::size_t(n + q) * W + l] == species;
          any = any || here[q][l] != 0;
        }
      if (!any) continue;
      for (int mu = 0; mu < F; ++mu) {
        vec g[Q];
        for (int q = 0; q < Q; ++q) g[q] = here[q] * g_[q * F + mu];
        for (int k = 0; k < K; ++k) {
          vec sum = gradient[mu * K + k];
          for (int q = 0; q < Q; ++q) sum += g[q] * q_[std::size_t(n + q) * K + k];
          gradient[mu * K + k] = sum;
        }
      }
    }
  }

  void write_basis(const Output& out) {
    const std::size_t B = p_.scalars.size();
    for (int l = 0; l < lanes_; ++l) {
      double energy = p_.species_energies[s_.types[atoms_[l]]];
      for (std::size_t b = 0; b < B; ++b) energy += p_.moment_coefficients[b] * moments_[p_.scalars[b]][l];
      out.energies[atoms_[l]] = energy;
      if (out.basis)
        for (std::size_t b = 0; b < B; ++b) out.basis[std::size_t(atoms_[l]) * B + b] = moments_[p_.scalars[b]][l];
    }
  }

  // A row holds what may differ from zero: the radial coefficients of the centre's species, its energy, the linear coefficients.
  void finish_rows() {
    vec* next = row_.data() + p_.radial.size() / p_.species_count;
    for (vec* c = row_.data(); c < next; ++c) *c *= p_.scaling;
    *next++ = splat(1);
    for (int32_t scalar : p_.scalars) *next++ = moments_[scalar];
  }

  struct Part { int parameter, count; };
  std::array<Part, 3> parts_of_row(int type) const {
    const int radial = int(p_.radial.size()), of_center = radial / p_.species_count;
    return {{{type * of_center, of_center}, {radial + type, 1}, {radial + p_.species_count, int(p_.scalars.size())}}};
  }

  void write_gradients(double* gradients) {
    for (int l = 0; l < lanes_; ++l) {
      double* row = gradients + std::size_t(atoms_[l]) * p_.parameter_count();
      std::fill(row, row + p_.radial.size() + p_.species_count, 0.0);
      const vec* value = row_.data();
      for (const Part& part : parts_of_row(s_.types[atoms_[l]]))
        for (int i = 0; i < part.count; ++i) row[part.parameter + i] = (*value++)[l];
    }
  }

  void write_grades(const Output& out) {
    for (int type = 0; type < p_.species_count; ++type) {
      bool any = false;
      for (int l = 0; l < lanes_; ++l) any = any || s_.types[atoms_[l]] == type;
      if (!any) continue;
      constexpr int J = 8;
      vec grade{}, sum{};
      int column = 0;
      for (; column + J <= out.rank; column += J) grade_columns<J>(type, out, column, grade, sum);
      for (; column < out.rank; ++column) grade_columns<1>(type, out, column, grade, sum);
      for (int l = 0; l < lanes_; ++l)
        if (s_.types[atoms_[l]] == type)
          out.grades[atoms_[l]] = std::isfinite(sum[l]) ? grade[l] : std::numeric_limits<double>::infinity();
    }
  }

  template <int J>
  void grade_columns(int type, const Output& out, int column, vec& grade, vec& sum) const {
    vec c[J]{};
    const vec* value = row_.data();
    for (const Part& part : parts_of_row(type)) {
      const double* matrix = out.grade_matrix + std::size_t(part.parameter) * out.rank + column;
      for (int i = 0; i < part.count; ++i, ++value, matrix += out.rank)
        for (int j = 0; j < J; ++j) c[j] += *value * matrix[j];
    }
    for (int j = 0; j < J; ++j) {
      const vec magnitude = c[j] < 0 ? -c[j] : c[j];
      sum += magnitude;
      grade = magnitude > grade ? magnitude : grade;
    }
  }

  // The number of radial functions of a run as a compile-time constant, so that they stay in registers.
  template <class Body>
  static void for_mu_count(int count, Body body) {
    switch (count) {
      case 0: return body.template operator()<0>();
      case 1: return body.template operator()<1>();
      case 2: return body.template operator()<2>();
      case 3: return body.template operator()<3>();
      case 4: return body.template operator()<4>();
      case 5: return body.template operator()<5>();
      case 6: return body.template operator()<6>();
      case 7: return body.template operator()<7>();
      case 8: return body.template operator()<8>();
      default: throw std::invalid_argument("more than 8 radial functions are not supported");
    }
  }

  const Potential& p_;
  const Structures& s_;
  const NeighborList& list_;
  const std::vector<int32_t>& structure_of_;
  const int32_t* atoms_ = nullptr;
  const int low_count_ = p_.max_rank > 0 ? 4 : 1;
  int lanes_ = 0, count_ = 0;
  bool with_rows_ = false;
  aligned_vector<Pair> pairs_;
  aligned_vector<vec> f_, df_, g_, moments_, adjoints_, monomials_, monomial_adjoints_, q_, dq_, row_;
  std::vector<int32_t> neighbor_atom_, neighbor_type_;
};

}  // namespace detail

// Fills `out`, whose arrays must be zero where sums are written (forces, virials). Threads take contiguous ranges of blocks, so that
// the result is the same for the same number of threads.
inline void evaluate(const Potential& p, const Structures& s, int threads, const Output& out) {
  constexpr int64_t block = 128;  // atoms whose neighbours are kept at a time: they fit into the second-level cache
  const int64_t atoms = s.offsets[s.count], blocks = (atoms + block - 1) / block;
  std::vector<int32_t> structure_of(atoms);
  for (int i = 0; i < s.count; ++i) std::fill(structure_of.begin() + s.offsets[i], structure_of.begin() + s.offsets[i + 1], i);

  threads = int(std::max<int64_t>(1, std::min<int64_t>(threads, blocks)));
  std::vector<std::vector<double>> forces(threads), virials(threads), distances(threads);
  std::vector<std::exception_ptr> errors(threads);
  const auto work = [&](int t) {
    try {
      double* f = out.forces;
      double* v = out.virials;
      if (t > 0 && out.forces) {
        forces[t].assign(3 * atoms, 0.0);
        virials[t].assign(9 * s.count, 0.0);
        f = forces[t].data();
        v = virials[t].data();
      }
      NeighborList list(s, p.cutoff);
      detail::BatchEvaluator evaluator(p, s, list, structure_of);
      std::vector<int32_t> order;
      for (int64_t b = blocks * t / threads; b < blocks * (t + 1) / threads; ++b) {
        const int64_t begin = b * block, end = std::min(atoms, begin + block);
        list.find(begin, end);
        // Atoms with like numbers of neighbours share a batch.
        order.resize(end - begin);
        std::iota(order.begin(), order.end(), int32_t(begin));
        std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
          if (out.grades && s.types[i] != s.types[j]) return s.types[i] < s.types[j];  // grades are computed species by species
          return list.count(i) < list.count(j);
        });
        for (int64_t i = 0; i < end - begin; i += W)
          evaluator.run(order.data() + i, int(std::min<int64_t>(W, end - begin - i)), out, f, v);
      }
      for (int i = 0; i < s.count; ++i) distances[t].push_back(list.min_distance(i));
    } catch (...) {
      errors[t] = std::current_exception();
    }
  };
  std::vector<std::thread> pool;
  for (int t = 1; t < threads; ++t) pool.emplace_back(work, t);
  work(0);
  for (auto& thread : pool) thread.join();
  for (auto& error : errors)
    if (error) std::rethrow_exception(error);
  for (int t = 1; t < threads && out.forces; ++t) {
    for (int64_t i = 0; i < 3 * atoms; ++i) out.forces[i] += forces[t][i];
    for (int64_t i = 0; i < 9 * s.count; ++i) out.virials[i] += virials[t][i];
  }
  for (int i = 0; i < s.count; ++i) {
    out.min_distances[i] = distances[0][i];
    for (int t = 1; t < threads; ++t) out.min_distances[i] = std::min(out.min_distances[i], distances[t][i]);
  }
}
