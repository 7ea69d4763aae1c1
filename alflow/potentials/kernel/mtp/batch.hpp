// Energies, forces, virials, basis values, parameter gradients and grades of a batch of atoms. SIMD lanes are atoms:
// some with like numbers of neighbours are computed together, neighbour n of all of them at once.
//
// For a batch:  (1) radial functions f_μ(r), f'_μ(r) of every neighbour;  (2) the basic moments M, sums over neighbours;  (3) the
// contraction table forward;  (4) its adjoint, A = ∂V/∂M;  (5) per neighbour the polynomials Σ A x^a y^b z^c, which are ∂V/∂f_μ, and
// their gradients, from which ∂V/∂r follows. No Jacobian of the moments is ever stored.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "local/neighbor.hpp"
#include "local/simd.hpp"
#include "mtp/contraction.hpp"
#include "mtp/moments.hpp"
#include "mtp/potential.hpp"
#include "mtp/radial.hpp"

namespace alflow {

// Where results go. Forces and virials are added to what is there, all else is written.
struct Output {
  double* energies;                      // (atoms)
  double* forces = nullptr;              // (atoms and ghosts, 3) or null
  double* virials = nullptr;             // (structures, 3, 3) sum of r_ij ⊗ ∂V_i/∂r_ij; comes with forces
  double* basis = nullptr;               // (atoms, B) or null
  double* gradients = nullptr;           // (atoms, parameters) or null
  const double* grade_matrix = nullptr;  // (parameters, rank)
  int rank = 0;
  double* grades = nullptr;  // (atoms) largest magnitude in gradient · grade_matrix, infinite where that is no number; or null
};

namespace detail {

// Passes stay functions of their own: inlined into the loop over batches, where the compiler has fewer registers for each, they are
// up to 5 % slower.
#define KERNEL_PASS __attribute__((noinline))

template <NeighborSource Source>
class BatchEvaluator {
 public:
  BatchEvaluator(const Potential& p, const Source& list)
      : p_(p), list_(list), passes_(p), moments_(p.moment_count), adjoints_(p.moment_count), dq_(p.chebyshev_count),
        row_(p.radial.size() / p.species_count + 1 + p.scalars.size()) {}

  // atoms: up to W atoms; unused lanes repeat the first one with no neighbours.
  void run(const int32_t* atoms, int lanes, const Output& out) {
    atoms_ = atoms;
    lanes_ = lanes;
    with_rows_ = out.gradients || out.grades;
    gather();
    radial_pass();
    sum_moments();
    contract(p_, moments_.data());
    write_basis(out);
    if (!near_.empty()) add_core(out);
    if (!out.forces && !with_rows_) return;
    contract_adjoint(p_, moments_.data(), adjoints_.data());
    backward(out.forces, out.virials);
    if (!with_rows_) return;
    fill_rows();
    if (out.gradients) write_gradients(out.gradients);
    if (out.grades) write_grades(out);
  }

 private:
  // Neighbours of all lanes side by side. An absent one sits at the cutoff, where radial functions and their slopes vanish.
  KERNEL_PASS void gather() {
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

  KERNEL_PASS void radial_pass() {
    const int F = p_.radial_count, K = p_.chebyshev_count;
    f_.resize(std::size_t(count_) * F);
    df_.resize(std::size_t(count_) * F);
    g_.resize(std::size_t(count_) * F);
    q_.resize(std::size_t(with_rows_ ? count_ : 1) * K);
    near_.clear();
    for (int n = 0; n < count_; ++n) {
      Pair& pair = pairs_[n];
      const vec r = square_root(pair.u[0] * pair.u[0] + pair.u[1] * pair.u[1] + pair.u[2] * pair.u[2]);
      const vec inverse_r = 1.0 / r;
      pair = {{pair.u[0] * inverse_r, pair.u[1] * inverse_r, pair.u[2] * inverse_r}, inverse_r, r};
      vec* q = q_.data() + (with_rows_ ? std::size_t(n) * K : 0);
      if (p_.core) radial_basis_near_core(n, r, q);
      else radial_basis(p_, r, q, dq_.data());
      const double* coefficients[W] = {};
      if (p_.species_count > 1)
        for (int l = 0; l < W; ++l)
          coefficients[l] = p_.radial_of(list_.type(atoms_[l < lanes_ ? l : 0]), neighbor_type_[std::size_t(n) * W + l]);
      for (int mu = 0; mu < F; ++mu) {
        vec f{}, df{};
        for (int k = 0; k < K; ++k) {
          vec c;
          if (p_.species_count == 1) c = splat(p_.radial[mu * K + k]);
          else
            for (int l = 0; l < W; ++l) c[l] = coefficients[l][mu * K + k];
          f += c * q[k];
          df += c * dq_[k];
        }
        f_[std::size_t(n) * F + mu] = f;
        df_[std::size_t(n) * F + mu] = df;
      }
    }
  }

  KERNEL_PASS void radial_basis_near_core(int n, vec r, vec* q) {
    CoreLanes cores{};
    bool any = false;
    for (int l = 0; l < lanes_; ++l)
      if (r[l] < p_.core.reach) {
        cores[l] = &p_.core.of(list_.type(atoms_[l]), neighbor_type_[std::size_t(n) * W + l]);
        any = true;
      }
    if (!any) return radial_basis(p_, r, q, dq_.data());
    const auto [energy, slope] = radial_basis_and_core(p_, r, cores, q, dq_.data());
    near_.push_back({n, energy, slope});
  }

  // Half of each pair's core belongs to the centre; the other half is added when its neighbour is the centre.
  void add_core(const Output& out) {
    for (const auto& [n, energy, slope] : near_)
      for (int l = 0; l < lanes_; ++l) {
        const int32_t i = atoms_[l], j = neighbor_atom_[std::size_t(n) * W + l];
        if (j < 0) continue;
        out.energies[i] += 0.5 * energy[l];
        if (!out.forces) continue;
        const Pair& pair = pairs_[n];
        for (int a = 0; a < 3; ++a) {
          const double pull = 0.5 * slope[l] * pair.u[a][l];
          out.forces[3 * i + a] += pull;
          out.forces[3 * j + a] -= pull;
          double* virial = out.virials + 9 * list_.structure(i) + a;
          for (int b = 0; b < 3; ++b) virial[3 * b] += pair.r[l] * pair.u[b][l] * pull;
        }
      }
  }

  KERNEL_PASS void sum_moments() {
    std::fill(moments_.begin(), moments_.end(), splat(0));
    for (int n = 0; n < count_; n += Q) passes_.sum(&pairs_[n], &f_[std::size_t(n) * p_.radial_count], moments_.data());
    p_.fill_sums(moments_.data());
  }

  KERNEL_PASS void backward(double* forces, double* virials) {
    const int F = p_.radial_count;
    vec own[3]{}, virial[9]{};
    for (int n = 0; n < count_; n += Q) {
      const Pair* pair = pairs_.data() + n;
      const vec* f = f_.data() + std::size_t(n) * F;
      const vec* df = df_.data() + std::size_t(n) * F;
      vec* g = g_.data() + std::size_t(n) * F;
      several du[3]{};
      passes_.pull(pair, f, adjoints_.data(), g, du);
      if (!forces) continue;
      for (int q = 0; q < Q; ++q) {
        const Pair& e = pair[q];
        vec radial{}, d[3], r[3];
        for (int mu = 0; mu < F; ++mu) radial += df[q * F + mu] * g[q * F + mu];
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
      for (int i = 0; i < 9; ++i) virials[9 * list_.structure(atoms_[l]) + i] += virial[i][l];
    }
  }

  // Calls body(j) for runs of J numbers, then of half as many, that begin at j and cover all of them.
  template <int J, class Body>
  static void for_runs(int count, Body body, int j = 0) {
    for (; j + J <= count; j += J) body.template operator()<J>(j);
    if constexpr (J > 1) for_runs<J / 2>(count, body, j);
  }

  // ∂V/∂c_{μk} = Σ_j g_μ Q_k, in the lanes where the neighbour is of the species. Q_k of absent ones is zero.
  void coefficient_gradients() {
    const int F = p_.radial_count, K = p_.chebyshev_count;
    vec* gradient = row_.data();
    own_g_.resize(count_);
    for (int species = 0; species < p_.species_count; ++species)
      for (int mu = 0; mu < F; ++mu, gradient += K) {
        for (int n = 0; n < count_; ++n) {
          own_g_[n] = p_.scaling * g_[std::size_t(n) * F + mu];
          if (p_.species_count > 1)
            for (int l = 0; l < W; ++l)
              if (neighbor_type_[std::size_t(n) * W + l] != species) own_g_[n][l] = 0;
        }
        for_runs<4>(K, [&]<int J>(int k) {
          vec sum[J]{};
          for (int n = 0; n < count_; ++n)
            for (int j = 0; j < J; ++j) sum[j] += own_g_[n] * q_[std::size_t(n) * K + k + j];
          std::copy_n(sum, J, gradient + k);
        });
      }
  }

  void write_basis(const Output& out) {
    const std::size_t B = p_.scalars.size();
    vec energies{};
    for (std::size_t b = 0; b < B; ++b) energies += p_.moment_coefficients[b] * moments_[p_.scalars[b]];
    for (int l = 0; l < lanes_; ++l) {
      out.energies[atoms_[l]] = p_.species_energies[list_.type(atoms_[l])] + energies[l];
      if (out.basis)
        for (std::size_t b = 0; b < B; ++b) out.basis[std::size_t(atoms_[l]) * B + b] = moments_[p_.scalars[b]][l];
    }
  }

  // A row holds what may differ from zero: the radial coefficients of the centre's species, its energy, the linear coefficients.
  void fill_rows() {
    coefficient_gradients();
    vec* next = row_.data() + p_.radial.size() / p_.species_count;
    *next++ = splat(1);
    for (int32_t scalar : p_.scalars) *next++ = moments_[scalar];
  }

  struct Part {
    int parameter, count;
  };
  std::array<Part, 3> parts_of_row(int type) const {
    const int radial = int(p_.radial.size()), of_center = radial / p_.species_count;
    return {{{type * of_center, of_center}, {radial + type, 1}, {radial + p_.species_count, int(p_.scalars.size())}}};
  }

  void write_gradients(double* gradients) {
    for (int l = 0; l < lanes_; ++l) {
      double* row = gradients + std::size_t(atoms_[l]) * p_.parameter_count();
      std::fill(row, row + p_.radial.size() + p_.species_count, 0.0);
      const vec* value = row_.data();
      for (const Part& part : parts_of_row(list_.type(atoms_[l])))
        for (int i = 0; i < part.count; ++i) row[part.parameter + i] = (*value++)[l];
    }
  }

  void write_grades(const Output& out) {
    for (int type = 0; type < p_.species_count; ++type) {
      bool any = false;
      for (int l = 0; l < lanes_; ++l) any = any || list_.type(atoms_[l]) == type;
      if (!any) continue;
      vec grade{}, sum{};
      for_runs<8>(out.rank, [&]<int J>(int column) { grade_columns<J>(type, out, column, grade, sum); });
      for (int l = 0; l < lanes_; ++l)
        if (list_.type(atoms_[l]) == type)
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

  struct Near {
    int n;
    vec energy, slope;  // of the core of pair n
  };

  const Potential& p_;
  const Source& list_;
  const int32_t* atoms_ = nullptr;
  int lanes_ = 0, count_ = 0;
  bool with_rows_ = false;
  MomentPasses passes_;
  aligned_vector<Pair> pairs_;  // u is the whole of r before radial_pass()
  aligned_vector<vec> moments_, adjoints_, g_, f_, df_, q_, dq_, own_g_, row_;
  aligned_vector<Near> near_;
  std::vector<int32_t> neighbor_atom_, neighbor_type_;
};

#undef KERNEL_PASS

}  // namespace detail

}  // namespace alflow
