// Radial basis Q_k(r) = T_k(x) (R_c - r)^2 with x in [-1, 1] over [R_min, R_c], and its derivative.
#pragma once

#include <array>
#include <utility>

#include "local/simd.hpp"
#include "mtp/potential.hpp"

namespace alflow {

template <class T>
inline void radial_basis(const Potential& p, T r, T* q, T* dq) {
  const double stretch = 2.0 / (p.cutoff - p.min_distance);
  const T x = (r - 0.5 * (p.cutoff + p.min_distance)) * stretch;
  const T inside = p.cutoff - r, smooth = inside * inside, dsmooth = -2.0 * inside;
  const T twice = x + x;
  T t0 = x * 0.0 + 1.0, t1 = x, u0 = x * 0.0, u1 = u0 + 1.0;  // T_k' = k U_{k-1}: two short recursions side by side
  for (int k = 0; k < p.chebyshev_count; ++k) {
    q[k] = t0 * smooth;
    dq[k] = (k * stretch) * u0 * smooth + t0 * dsmooth;
    const T t2 = twice * t1 - t0, u2 = twice * u1 - u0;
    t0 = t1;
    t1 = t2;
    u0 = u1;
    u1 = u2;
  }
}

using CoreLanes = std::array<const CorePair*, W>;  // null where a lane is not to have a core

// The same for pairs some of which are closer than their core's `outer`: there the functions are handed over to the core, whose energy
// and slope, whole and not halved, are returned. They are zero beyond.
inline std::pair<vec, vec> radial_basis_and_core(const Potential& p, vec r, const CoreLanes& cores, vec* q, vec* dq) {
  vec at = r, slope_at = splat(1), factor = splat(1), slope_of_factor{}, energy{}, slope{};
  for (int l = 0; l < W; ++l) {
    if (!cores[l] || !(r[l] < cores[l]->outer)) continue;
    const Radial core = cores[l]->energy(r[l]), held = cores[l]->held(r[l]), handover = cores[l]->handover(r[l]);
    energy[l] = core.value;
    slope[l] = core.slope;
    at[l] = held.value;
    slope_at[l] = held.slope;
    factor[l] = handover.value;
    slope_of_factor[l] = handover.slope;
  }
  radial_basis(p, at, q, dq);
  for (int k = 0; k < p.chebyshev_count; ++k) {
    dq[k] = factor * slope_at * dq[k] + slope_of_factor * q[k];
    q[k] *= factor;
  }
  return {energy, slope};
}

}  // namespace alflow
