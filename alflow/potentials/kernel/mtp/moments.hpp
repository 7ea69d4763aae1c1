// Sums of f_μ(r) x^a y^b z^c over neighbours with unit vector (x, y, z), and the adjoint of that sum.
//
// Both passes go through the moments in the order in which they are kept (see Potential::Family): line by line of like y^b z^c,
// each with two powers of x. The adjoint evaluates the polynomial P_μ = Σ A x^a y^b z^c = ∂V/∂f_μ and its three derivatives by
// Horner's rule in y and z, so that no monomial is ever stored.
#pragma once

#include "local/simd.hpp"
#include "mtp/potential.hpp"

namespace alflow {

namespace detail {

constexpr int Q = 2;  // neighbours that share a load of a moment: their polynomials stay in registers
using several = vec[Q];

struct Pair {
  vec u[3], inverse_r, r;
};

class MomentPasses {
 public:
  explicit MomentPasses(const Potential& p) : p_(p), x_((p.max_rank + 1) * Q), y_(x_), slope_(x_), fx_(x_) {
    for (int q = 0; q < Q && p.max_rank >= 0; ++q) x_[q] = y_[q] = splat(1);
  }

  // Adds what Q neighbours contribute to the basic moments.
  void sum(const Pair* pair, const vec* f, vec* moments) {
    set_powers(pair, 0, x_);
    set_powers(pair, 1, y_);
    for (int mu = 0; mu < p_.radial_count; ++mu) {
      const auto [top, first] = p_.families[mu];
      for (int t = 0; t <= top; ++t)
        for (int q = 0; q < Q; ++q) fx_[t * Q + q] = f[q * p_.radial_count + mu] * x_[t * Q + q];
      vec* moment = moments + first;
      several z;
      for (int q = 0; q < Q; ++q) z[q] = splat(1);
      for (int c = 0; c <= top; ++c) {
        several higher;
        for (int q = 0; q < Q; ++q) higher[q] = fx_[(top - c) * Q + q];
        for (int b = 0; b < top - c; ++b, moment += 2) {
          const vec* lower = &fx_[(top - c - b - 1) * Q];
          vec sum0 = moment[0], sum1 = moment[1];
          for (int q = 0; q < Q; ++q) {
            const vec yz = z[q] * y_[b * Q + q];
            sum0 += higher[q] * yz;
            sum1 += lower[q] * yz;
            higher[q] = lower[q];
          }
          moment[0] = sum0;
          moment[1] = sum1;
        }
        for (int q = 0; q < Q; ++q) *moment += higher[q] * (z[q] * y_[(top - c) * Q + q]);
        ++moment;
        for (int q = 0; q < Q; ++q) z[q] *= pair[q].u[2];
      }
    }
  }

  // From adjoints = ∂V/∂M of Q neighbours g_μ = ∂V/∂f_μ, and adds to ∂V/∂u.
  void pull(const Pair* pair, const vec* f, const vec* adjoints, vec* g, several (&du)[3]) {
    set_powers(pair, 0, x_);
    for (int t = 1; t <= p_.max_rank; ++t)
      for (int q = 0; q < Q; ++q) slope_[t * Q + q] = double(t) * x_[(t - 1) * Q + q];
    several x, y, z;
    for (int q = 0; q < Q; ++q) {
      x[q] = pair[q].u[0];
      y[q] = pair[q].u[1];
      z[q] = pair[q].u[2];
    }
    for (int mu = 0; mu < p_.radial_count; ++mu) {
      const auto [top, first] = p_.families[mu];
      const vec* a = adjoints + first + (top + 1) * (top + 1);
      several value{}, by_x{}, by_y{}, by_z{};
      for (int c = top; c >= 0; --c) {
        several row, row_by_x{}, row_by_y{};  // Σ over b
        --a;
        for (int q = 0; q < Q; ++q) row[q] = *a;
        if (c < top) {
          a -= 2;
          for (int q = 0; q < Q; ++q) {
            row_by_y[q] = row[q];
            row[q] = row[q] * y[q] + (a[1] + a[0] * x[q]);
            row_by_x[q] = a[0];
          }
        }
        for (int t = 1; t < top - c; ++t) {
          a -= 2;
          for (int q = 0; q < Q; ++q) {
            const vec line = a[1] + a[0] * x[q];
            row_by_y[q] = row_by_y[q] * y[q] + row[q];
            row_by_x[q] = row_by_x[q] * y[q] + (a[0] * x_[t * Q + q] + line * slope_[t * Q + q]);
            row[q] = row[q] * y[q] + line * x_[t * Q + q];
          }
        }
        for (int q = 0; q < Q; ++q) {
          by_z[q] = by_z[q] * z[q] + value[q];
          by_y[q] = by_y[q] * z[q] + row_by_y[q];
          by_x[q] = by_x[q] * z[q] + row_by_x[q];
          value[q] = value[q] * z[q] + row[q];
        }
      }
      for (int q = 0; q < Q; ++q) {
        const vec own = f[q * p_.radial_count + mu];
        g[q * p_.radial_count + mu] = value[q];
        du[0][q] += own * by_x[q];
        du[1][q] += own * by_y[q];
        du[2][q] += own * by_z[q];
      }
    }
  }

 private:
  void set_powers(const Pair* pair, int axis, aligned_vector<vec>& powers) const {
    for (int t = 1; t <= p_.max_rank; ++t)
      for (int q = 0; q < Q; ++q) powers[t * Q + q] = powers[(t - 1) * Q + q] * pair[q].u[axis];
  }

  const Potential& p_;
  aligned_vector<vec> x_, y_, slope_, fx_;  // powers: x^t, y^b, t x^(t-1), f_μ x^t
};

}  // namespace detail

}  // namespace alflow
