// Eight doubles that are processed together. Eight is one AVX-512 register; for AVX2 and baseline builds the compiler
// splits each operation, so that there is one source for all.
#pragma once

#include <cmath>
#include <cstddef>
#include <new>
#include <vector>

constexpr int W = 8;
using vec = double __attribute__((vector_size(W * sizeof(double))));

inline vec splat(double x) { return x - vec{}; }

inline vec square_root(vec x) {
  alignas(64) double lanes[W];
  __builtin_memcpy(lanes, &x, sizeof(x));
  for (double& lane : lanes) lane = std::sqrt(lane);
  __builtin_memcpy(&x, lanes, sizeof(x));
  return x;
}

template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t(64))); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t(64)); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const { return true; }
};

template <class T>
using aligned_vector = std::vector<T, AlignedAllocator<T>>;
