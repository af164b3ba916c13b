// Rates: how fast counters have grown lately: the mean of sixteen samples of about a tenth of a second.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace vitrine {

class Rate {
 public:
  static constexpr size_t kSamples = 16;

  // REQUIRES: now_us does not go back.
  void sample(int64_t now_us, uint64_t counter) {
    if (last_us_ && now_us > last_us_ && counter >= last_counter_)
      samples_[next_++ % kSamples] = static_cast<double>(counter - last_counter_) * 1e6 /
                                     static_cast<double>(now_us - last_us_);
    last_us_ = now_us;
    last_counter_ = counter;
  }
  double per_second() const {
    double sum = 0;
    for (double s : samples_) sum += s;
    return sum / kSamples;
  }
  void reset() { *this = {}; }

 private:
  std::array<double, kSamples> samples_{};
  size_t next_ = 0;
  int64_t last_us_ = 0;
  uint64_t last_counter_ = 0;
};

// The growth of one counter in units of another (microseconds per turn of the loop), over the same samples.
class Quotient {
 public:
  void sample(uint64_t above, uint64_t below) {
    if (above >= above_ && below > below_)
      samples_[next_++ % Rate::kSamples] = static_cast<double>(above - above_) / static_cast<double>(below - below_);
    above_ = above, below_ = below;
  }
  double mean() const {
    double sum = 0;
    for (double s : samples_) sum += s;
    return sum / Rate::kSamples;
  }

 private:
  std::array<double, Rate::kSamples> samples_{};
  size_t next_ = 0;
  uint64_t above_ = 0, below_ = 0;
};

}  // namespace vitrine
