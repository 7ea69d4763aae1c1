// A core: the repulsion of nuclei under a fitted potential, where atoms come closer than its data.
//
// The universal potential of Ziegler, Biersack and Littmark (1985, doi 10.1007/978-3-642-68779-2_5) with the constants and the switch of
// LAMMPS (pair_style zbl): exact forces below `inner`; energy, force and curvature fall to zero at `outer`.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace alflow {

struct Radial {
  double value, slope;
};

// From 0 at t = 0 to 1 at t = 1, with continuous second derivatives where it meets the constants.
inline double smooth_step(double t) { return t * t * t * (10 + t * (6 * t - 15)); }

// The core of a pair of species, for distances below `outer`.
struct CorePair {
  double inner = 0, outer = 0;

  CorePair() = default;
  CorePair(double z1, double z2, double inner, double outer) : inner(inner), outer(outer), charges_(z1 * z2 * coulomb) {
    const double per_A = (std::pow(z1, 0.23) + std::pow(z2, 0.23)) / 0.46850;
    for (int i = 0; i < 4; ++i) rates_[i] = exponents[i] * per_A;
    // S(r) = a/3 (r - inner)³ + b/4 (r - inner)⁴ + offset cancels energy, force and curvature at outer.
    double energy = 0, slope = 0, curvature = 0;
    for (int i = 0; i < 4; ++i) {
      const double part = weights[i] * std::exp(-rates_[i] * outer) * charges_ / outer, q = rates_[i] + 1 / outer;
      energy += part;
      slope -= part * q;
      curvature += part * (q * q + 1 / (outer * outer));
    }
    const double width = outer - inner;
    a_ = (-3 * slope + width * curvature) / (width * width);
    b_ = (2 * slope - width * curvature) / (width * width * width);
    offset_ = -energy + width * slope / 2 - width * width * curvature / 12;
  }

  Radial energy(double r) const {
    Radial e{0, 0};
    for (int i = 0; i < 4; ++i) {
      const double part = weights[i] * std::exp(-rates_[i] * r) * charges_ / r;
      e.value += part;
      e.slope -= part * (rates_[i] + 1 / r);
    }
    const double t = std::max(0.0, r - inner);
    return {e.value + t * t * t * (a_ / 3 + b_ / 4 * t) + offset_, e.slope + t * t * (a_ + b_ * t)};
  }

  // The factor of what the core takes over: from 0 up to inner to 1 at outer, with continuous second derivatives.
  Radial handover(double r) const {
    const double t = std::clamp((r - inner) / (outer - inner), 0.0, 1.0);
    return {smooth_step(t), 30 * t * t * (1 - t) * (1 - t) / (outer - inner)};
  }

  // The distance that a function with data from outer on is asked at: r from outer on; below, it comes to rest a little under outer,
  // with continuous second derivatives, because beyond its data a polynomial may be anything.
  Radial held(double r) const {
    const double reach = (outer - inner) * held_within, t = std::clamp((r - outer) / reach + 1, 0.0, 1.0);
    return {outer - reach * (0.5 + t * t * t * t * (3 * t - 2.5 - t * t)), smooth_step(t)};
  }

 private:
  static constexpr double coulomb = 14.399645;  // e²/4πε₀ of LAMMPS' units metal, eV Å
  static constexpr double weights[4] = {0.02817, 0.28022, 0.50986, 0.18175}, exponents[4] = {0.20162, 0.40290, 0.94229, 3.19980};
  static constexpr double held_within = 0.25;
  double charges_ = 0, rates_[4]{}, a_ = 0, b_ = 0, offset_ = 0;
};

struct Core {
  int species_count = 0;
  double reach = 0;  // no pair from here on has a core
  std::vector<CorePair> pairs;  // (S, S); empty without a core

  explicit operator bool() const { return !pairs.empty(); }
  const CorePair& of(int center, int neighbor) const { return pairs[std::size_t(center) * species_count + neighbor]; }

  void add(const CorePair& pair) {
    pairs.push_back(pair);
    reach = std::max(reach, pair.outer);
  }
};

}  // namespace alflow
