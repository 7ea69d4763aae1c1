// The search for neighbours in a structure with any cell, linear in the number of atoms.
//
// The structure is wrapped into its cell, periodic images within the cutoff are added around it, and all is sorted into bins.
// The result depends on the positions alone, never on earlier calls, so that restarts are exact.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <vector>

#include "local/neighbor.hpp"
#include "local/simd.hpp"

namespace alflow {

struct Structures {
  int count;
  const int64_t* offsets;   // (count + 1) first atom of each structure
  const double* positions;  // (atoms, 3)
  const double* cells;      // (count, 3, 3) rows are cell vectors; complete (no zero vector) even where not periodic
  const bool* periodic;     // (count, 3)
  const int32_t* types;     // (atoms)
};

namespace detail {

constexpr double same_place2 = 1e-16;  // Å²; atoms a lattice vector apart differ by rounding errors

using Vec3 = std::array<double, 3>;

inline Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
inline double dot(const Vec3& a, const Vec3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// Their products with a position are its coordinates along the cell vectors.
inline std::array<Vec3, 3> reciprocal_vectors(const double* cell) {
  const Vec3 a{cell[0], cell[1], cell[2]}, b{cell[3], cell[4], cell[5]}, c{cell[6], cell[7], cell[8]};
  const double volume = dot(a, cross(b, c));
  if (!(std::abs(volume) > 0)) throw std::invalid_argument("a cell has no volume");
  std::array<Vec3, 3> reciprocal{cross(b, c), cross(c, a), cross(a, b)};
  for (Vec3& vector : reciprocal)
    for (double& x : vector) x /= volume;
  return reciprocal;
}

// One structure, ready to be asked for the neighbours of its atoms. The memory is used again for the next structure.
class StructureSearch {
 public:
  StructureSearch(const Structures& s, double cutoff) : s_(s), cutoff_(cutoff) {}

  void prepare(int index) {
    index_ = index;
    begin_ = s_.offsets[index];
    count_ = s_.offsets[index + 1] - begin_;
    wrap_and_replicate();
    sort_into_bins();
  }

  // Appends the neighbours of one atom; lowers `closest2` to the shortest squared distance.
  void append(int64_t atom, std::vector<Neighbor>& out, double& closest2) { collect(atom - begin_, out, closest2); }

 private:
  struct Point {
    double x, y, z;
    int32_t atom;
  };
  static constexpr std::size_t few_points = 256;  // testing so many costs less than sorting them into bins

  void wrap_and_replicate() {
    const double* c = s_.cells + 9 * index_;
    const Vec3 a{c[0], c[1], c[2]}, b{c[3], c[4], c[5]}, d{c[6], c[7], c[8]};
    const std::array<Vec3, 3> reciprocal = reciprocal_vectors(c);
    std::array<int, 3> images{};
    std::array<double, 3> margin{};
    const bool* periodic = s_.periodic + 3 * index_;
    for (int k = 0; k < 3; ++k) {
      margin[k] = cutoff_ * std::sqrt(dot(reciprocal[k], reciprocal[k]));
      if (!(margin[k] < 100)) throw std::invalid_argument("a cell is thinner than a hundredth of the cutoff");
      images[k] = periodic[k] ? int(std::ceil(margin[k])) : 0;
    }
    points_.clear();
    fractional_.clear();
    points_.reserve(count_ * 2);
    fractional_.reserve(count_ * 2);
    for (int64_t i = 0; i < count_; ++i) {
      const double* p = s_.positions + 3 * (begin_ + i);
      const Vec3 r{p[0], p[1], p[2]};
      Vec3 shift{}, fractional;
      for (int k = 0; k < 3; ++k) {
        fractional[k] = dot(reciprocal[k], r);
        if (!std::isfinite(fractional[k])) throw std::invalid_argument("a position is not a finite number");
        if (periodic[k]) {
          shift[k] = std::floor(fractional[k]);
          fractional[k] -= shift[k];
        }
      }
      points_.push_back({r[0] - shift[0] * a[0] - shift[1] * b[0] - shift[2] * d[0],
                         r[1] - shift[0] * a[1] - shift[1] * b[1] - shift[2] * d[1],
                         r[2] - shift[0] * a[2] - shift[1] * b[2] - shift[2] * d[2], int32_t(begin_ + i)});
      fractional_.push_back(fractional);
    }
    // Images along one cell vector after the other, each time of all that is there.
    for (int k = 0; k < 3; ++k) {
      const std::size_t present = points_.size();
      for (int n = -images[k]; n <= images[k]; ++n) {
        if (n == 0) continue;
        for (std::size_t i = 0; i < present; ++i) {
          const double f = fractional_[i][k] + n;
          if (f < -margin[k] || f > 1 + margin[k]) continue;
          const Point p = points_[i];
          points_.push_back({p.x + n * c[3 * k], p.y + n * c[3 * k + 1], p.z + n * c[3 * k + 2], p.atom});
          fractional_.push_back(fractional_[i]);
        }
      }
    }
  }

  void place(const Point& p, int64_t at) {
    x_[at] = p.x;
    y_[at] = p.y;
    z_[at] = p.z;
    atom_[at] = p.atom;
  }

  void sort_into_bins() {
    for (auto* coordinate : {&x_, &y_, &z_}) coordinate->resize(points_.size() + W);  // the last ones may be read beyond the end
    atom_.resize(points_.size());
    if (points_.size() <= few_points) {
      low_.fill(0);
      width_.fill(std::numeric_limits<double>::infinity());
      bins_ = {1, 1, 1};
      reach_.fill(0);
      start_ = {0, int64_t(points_.size())};
      for (std::size_t i = 0; i < points_.size(); ++i) place(points_[i], i);
      return;
    }
    Vec3 high;
    low_ = high = {points_[0].x, points_[0].y, points_[0].z};
    for (const Point& p : points_) {
      const Vec3 r{p.x, p.y, p.z};
      for (int k = 0; k < 3; ++k) {
        low_[k] = std::min(low_[k], r[k]);
        high[k] = std::max(high[k], r[k]);
      }
    }
    // Bins along z lie side by side in memory, so that narrow ones cost nothing. Wider where bins would be many more than points
    // (gas, clusters far apart).
    width_ = {cutoff_, cutoff_, cutoff_ / 3};
    for (;;) {
      double bins = 1;
      for (int k = 0; k < 3; ++k) {
        bins_[k] = int64_t(std::min(1e6, (high[k] - low_[k]) / width_[k])) + 1;
        bins *= double(bins_[k]);
      }
      if (bins <= 64.0 + 4.0 * double(points_.size())) break;
      for (double& width : width_) width *= 1.5;
    }
    for (int k = 0; k < 3; ++k) reach_[k] = int64_t(std::ceil(cutoff_ / width_[k]));
    start_.assign(bins_[0] * bins_[1] * bins_[2] + 1, 0);
    bin_.resize(points_.size());
    for (std::size_t i = 0; i < points_.size(); ++i) {
      bin_[i] = bin_of(points_[i]);
      ++start_[bin_[i] + 1];
    }
    for (std::size_t i = 1; i < start_.size(); ++i) start_[i] += start_[i - 1];
    next_.assign(start_.begin(), start_.end() - 1);
    for (std::size_t i = 0; i < points_.size(); ++i) place(points_[i], next_[bin_[i]]++);
  }

  int64_t bin_along(double x, int k) const { return std::clamp<int64_t>(int64_t((x - low_[k]) / width_[k]), 0, bins_[k] - 1); }
  int64_t bin_of(const Point& p) const { return (bin_along(p.x, 0) * bins_[1] + bin_along(p.y, 1)) * bins_[2] + bin_along(p.z, 2); }

  // Neighbours of one atom.
  void collect(int64_t i, std::vector<Neighbor>& out, double& closest2) {
    const Point p = points_[i];
    const std::size_t found = candidates(p), first = out.size();
    const double *x = x_.data(), *y = y_.data(), *z = z_.data();
    const int32_t *near = near_.data(), *atoms = atom_.data(), *types = s_.types;
    double shortest2 = closest2;
    out.resize(first + found);
    Neighbor* next = out.data() + first;
    for (std::size_t n = 0; n < found; ++n) {
      const int32_t k = near[n], atom = atoms[k];
      const double dx = x[k] - p.x, dy = y[k] - p.y, dz = z[k] - p.z, r2 = dx * dx + dy * dy + dz * dz;
      if (r2 < same_place2) {
        if (atom == p.atom) continue;
        throw std::invalid_argument("two atoms are at the same place");
      }
      shortest2 = std::min(shortest2, r2);
      *next++ = {dx, dy, dz, atom, types[atom]};
    }
    out.resize(next - out.data());
    closest2 = shortest2;
  }

  // Fills near_ with the points within the cutoff; how many. W at a time and without a branch that could be mispredicted.
  std::size_t candidates(const Point& p) {
    const double cutoff2 = cutoff_ * cutoff_;
    std::array<int64_t, 3> low, high;
    for (int k = 0; k < 3; ++k) {
      const int64_t bin = bin_along(k == 0 ? p.x : k == 1 ? p.y : p.z, k);
      low[k] = std::max<int64_t>(bin - reach_[k], 0);
      high[k] = std::min(bin + reach_[k], bins_[k] - 1);
    }
    std::size_t found = 0;
    for (int64_t bx = low[0]; bx <= high[0]; ++bx)
      for (int64_t by = low[1]; by <= high[1]; ++by) {
        const int64_t row = (bx * bins_[1] + by) * bins_[2];
        const int64_t begin = start_[row + low[2]], end = start_[row + high[2] + 1];
        if (near_.size() < found + (end - begin) + W) near_.resize(2 * (found + (end - begin) + W));
        for (int64_t k = begin; k < end; k += W) {
          const vec dx = load(&x_[k]) - p.x, dy = load(&y_[k]) - p.y, dz = load(&z_[k]) - p.z;
          const ivec inside = (dx * dx + dy * dy + dz * dz < cutoff2) & (lane_numbers < end - k);
          found += keep(inside, int32_t(k), near_.data() + found);
        }
      }
    return found;
  }

  const Structures& s_;
  double cutoff_;
  int index_ = -1;
  int64_t begin_ = 0, count_ = 0;
  std::vector<Vec3> fractional_;
  std::vector<Point> points_;
  std::vector<double> x_, y_, z_;  // sorted by bins
  std::vector<int32_t> atom_, near_;
  Vec3 low_{}, width_{};
  std::array<int64_t, 3> bins_{}, reach_{};
  std::vector<int64_t> start_, bin_, next_;
};

}  // namespace detail

}  // namespace alflow
