// Radial basis Q_k(r) = T_k(x) (R_c - r)^2 with x in [-1, 1] over [R_min, R_c], and its derivative.
#pragma once

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

}  // namespace alflow
