// Doubles that are processed together: as many as a register of the instruction set holds, so that there is one source for all.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>
#ifdef __AVX512VL__
#include <immintrin.h>
#endif

namespace alflow {

#if defined(__AVX512F__)
constexpr int W = 8;
#elif defined(__AVX__)
constexpr int W = 4;
#else
constexpr int W = 2;
#endif
using vec = double __attribute__((vector_size(W * sizeof(double))));

using ivec = int64_t __attribute__((vector_size(W * sizeof(int64_t))));  // -1 where a comparison of vec is true
inline const ivec lane_numbers = [] {
  ivec numbers{};
  for (int l = 0; l < W; ++l) numbers[l] = l;
  return numbers;
}();

inline vec load(const double* p) {
  vec x;
  __builtin_memcpy(&x, p, sizeof(x));
  return x;
}

inline vec splat(double x) { return x - vec{}; }

// Writes first + l of the lanes l that are true side by side, and rubbish behind them, W numbers in all; how many are true.
inline int keep(ivec lanes, int32_t first, int32_t* out) {
#ifdef __AVX512VL__
  const __mmask8 mask = _mm512_movepi64_mask(__m512i(lanes));
  const __m256i numbers = _mm256_add_epi32(_mm256_set1_epi32(first), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm256_maskz_compress_epi32(mask, numbers));
  return __builtin_popcount(mask);
#else
  int count = 0;
  for (int l = 0; l < W; ++l) {
    out[count] = first + l;
    count -= int(lanes[l]);
  }
  return count;
#endif
}

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
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};

template <class T>
using aligned_vector = std::vector<T, AlignedAllocator<T>>;

}  // namespace alflow
