// HashTable: a set of 48-bit words under linear hashing; grows and shrinks one bucket at a time, never pauses.
//
// It is equivalent to std::unordered_set<Word, Policy::hash>, but a word is all it stores: mostly a pointer to an
// allocation that holds key and value (x86-64 user addresses fit 48 bits), sometimes a small value itself.
//
//   bucket, 64 bytes (one cache line)
//   +-----------------+---+----------------------------------------------+
//   | tag[9]          | o | word[9], 6 bytes each                        |
//   +-----------------+---+----------------------------------------------+
//   tag:  8 bits of the hash, 0 = empty slot, compared nine at a time
//   o:    1 when the ninth word points to an overflow block: {capacity, count, tag[capacity], word[capacity]}
//
// Linear hashing (Litwin, VLDB 1980): with 2^level <= buckets < 2^(level+1), a hash belongs to bucket
// `hash mod 2^(level+1)` if that exists, else to `hash mod 2^level`. An insertion that lifts the mean load over
// its limit splits one bucket; an erasure that lets it fall under a third of that merges one back. So the cost per item
// is flat (about 9.5 bytes) at every size, and no operation touches more than a few buckets.
//
// Buckets live in segments of kSegmentBuckets; only the small directory of segments is ever copied (and, in small
// tables, the single segment).
//
// Policy: `static uint64_t hash(Word)`, called when a bucket is split or merged; `static void prefetch(Word)`.
//
// Words returned by position are valid until the next insert or erase.
#pragma once

#include <emmintrin.h>

#include <bit>
#include <cstring>
#include <vector>

#include "base/check.h"
#include "base/memory.h"
#include "base/prefetch.h"
#include "base/random.h"

namespace vitrine {

using Word = uint64_t;  // only the low 48 bits count

namespace table_detail {

constexpr int kSlots = 9;
constexpr int kWordBytes = 6;

inline Word load_word(const uint8_t* p) {
  uint64_t x;
  std::memcpy(&x, p - 2, 8);  // two bytes before a word always belong to its block
  return x >> 16;
}
inline void store_word(uint8_t* p, Word w) {
  uint32_t low = static_cast<uint32_t>(w);
  uint16_t high = static_cast<uint16_t>(w >> 32);
  std::memcpy(p, &low, 4);
  std::memcpy(p + 4, &high, 2);
}
inline uint8_t tag_of(uint64_t hash) {
  uint8_t tag = static_cast<uint8_t>(hash >> 56);
  return tag ? tag : 1;
}

struct Overflow {
  uint8_t capacity;
  uint8_t count;
  // then tag[capacity], word[capacity]
  uint8_t* tags() { return reinterpret_cast<uint8_t*>(this) + 2; }
  uint8_t* word(int i) { return tags() + capacity + i * kWordBytes; }
  static size_t bytes(int capacity) { return 2 + static_cast<size_t>(capacity) * (1 + kWordBytes); }
};

struct Bucket {
  uint8_t tags[kSlots];
  uint8_t overflowed;
  uint8_t words[kSlots * kWordBytes];

  uint8_t* word(int i) { return words + i * kWordBytes; }
  Overflow* overflow() {
    return overflowed ? reinterpret_cast<Overflow*>(load_word(word(kSlots - 1))) : nullptr;
  }
  unsigned matches(uint8_t tag) const {
    __m128i line = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tags));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(line, _mm_set1_epi8(static_cast<char>(tag))))) &
           ((1u << kSlots) - 1);
  }
  unsigned used() const { return matches(0) ^ ((1u << kSlots) - 1); }
};
static_assert(sizeof(Bucket) == 64);

// Slot-level work that does not depend on what the words mean. `index` counts the bucket's own slots first, then the
// overflow's.
void append(Bucket* bucket, uint8_t tag, Word word);
void erase(Bucket* bucket, int index);
void drop_overflow(Bucket* bucket);
Bucket* new_buckets(size_t count);

}  // namespace table_detail

// kMeanLoadTwice: twice the words a bucket holds in the mean. 22 instead of 17 saves 0.8 bytes an item, and more than
// every second bucket instead of every third has an overflow block.
template <class Policy, size_t kMeanLoadTwice = 17>
class HashTable {
  using Bucket = table_detail::Bucket;
  using Overflow = table_detail::Overflow;

 public:
  struct Position {
    Bucket* bucket = nullptr;
    int index = 0;
    explicit operator bool() const { return bucket != nullptr; }
  };

  HashTable() { segments_.push_back(table_detail::new_buckets(1)); }
  ~HashTable() { release_all(); }
  HashTable(HashTable&& other) noexcept { swap(other), other.release_all(), other.reset(); }
  HashTable& operator=(HashTable&& other) noexcept {
    swap(other);
    return *this;
  }
  void swap(HashTable& other) noexcept {
    std::swap(segments_, other.segments_);
    std::swap(buckets_, other.buckets_);
    std::swap(level_, other.level_);
    std::swap(count_, other.count_);
  }

  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  size_t bucket_count() const { return buckets_; }

  Word at(Position p) const { return table_detail::load_word(slot(p)); }
  // The new word must have the same hash as the old one.
  void set(Position p, Word w) { table_detail::store_word(slot(p), w); }

  // The position of the word with this hash for which `equal(word)` holds.
  template <class Equal>
  Position find(uint64_t hash, Equal equal) const {
    Bucket* bucket = bucket_at(index_of(hash));
    uint8_t tag = table_detail::tag_of(hash);
    for (unsigned m = bucket->matches(tag); m; m &= m - 1) {
      int i = std::countr_zero(m);
      if (equal(table_detail::load_word(bucket->word(i)))) return {bucket, i};
    }
    if (__builtin_expect(bucket->overflowed, 0)) {
      Overflow* over = bucket->overflow();
      for (int i = 0; i < over->count; i++)
        if (over->tags()[i] == tag && equal(table_detail::load_word(over->word(i))))
          return {bucket, table_detail::kSlots + i};
    }
    return {};
  }

  // REQUIRES: no equal word is present.
  void insert(uint64_t hash, Word word) {
    table_detail::append(bucket_at(index_of(hash)), table_detail::tag_of(hash), word);
    count_++;
    if (count_ * 2 > buckets_ * kMeanLoadTwice) split_one();
  }

  void erase(Position p) {
    table_detail::erase(p.bucket, p.index);
    count_--;
    if (count_ * 6 < buckets_ * kMeanLoadTwice && buckets_ > 1) merge_one();
  }

  // First stage of a batched lookup: fetch the bucket. Second: fetch what its matching words point to. Third, if those
  // point on: visit the words that (nearly always) are the ones sought; overflow blocks are left out.
  void prefetch_bucket(uint64_t hash) const { vitrine::prefetch(bucket_at(index_of(hash))); }
  void prefetch_words(uint64_t hash) const {
    Bucket* bucket = bucket_at(index_of(hash));
    unsigned m = bucket->matches(table_detail::tag_of(hash));
    if (m == 0 && bucket->overflowed) prefetch(bucket->overflow());
    for (; m; m &= m - 1) Policy::prefetch(table_detail::load_word(bucket->word(std::countr_zero(m))));
  }

  template <class Visit>
  void visit_likely(uint64_t hash, Visit visit) const {
    Bucket* bucket = bucket_at(index_of(hash));
    for (unsigned m = bucket->matches(table_detail::tag_of(hash)); m; m &= m - 1)
      visit(table_detail::load_word(bucket->word(std::countr_zero(m))));
  }

  // Calls `visit(word)` for the words of one bucket and returns the next cursor, 0 after the last. A word present from
  // the first call (cursor 0) to the last is visited at least once, whatever else is inserted or erased between calls.
  // The cursor walks the hash space in bit-reversed order, in which every bucket is one contiguous range, before and
  // after any split or merge. `visit` must not change the table.
  template <class Visit>
  uint64_t scan(uint64_t cursor, Visit visit) const {
    size_t index = index_of(cursor);
    visit_bucket(bucket_at(index), visit);
    uint64_t mask = mask_of(index);
    uint64_t v = reverse_bits(cursor | ~mask) + 1;
    return reverse_bits(v);
  }

  // Calls `visit(word)` for the words of the one bucket where `hash` belongs.
  template <class Visit>
  void visit_hash(uint64_t hash, Visit visit) const { visit_bucket(bucket_at(index_of(hash)), visit); }

  // Calls `visit(word)` for the words whose hash may be this one, as far as the table itself remembers hashes: those of
  // its bucket with its tag. Bits 32 to 55 of `hash` do not matter (in tables of up to 2^32 buckets).
  template <class Visit>
  void visit_matching(uint64_t hash, Visit visit) const {
    uint8_t tag = table_detail::tag_of(hash);
    Bucket* bucket = bucket_at(index_of(hash));
    visit_tagged(bucket, [&](uint8_t each, Word w) {
      if (each == tag) visit(w);
    });
  }

  // `visit` may change the table no more than by set().
  template <class Visit>
  void for_each(Visit visit) const {
    for (size_t i = 0; i < buckets_; i++) visit_bucket(bucket_at(i), visit);
  }

  // As for_each, for visits that read what the words point to: that is fetched some buckets ahead.
  template <class Visit>
  void for_each_fetched(Visit visit) const {
    constexpr size_t kWordsAhead = 3, kBucketsAhead = 10;
    for (size_t i = 0; i < buckets_; i++) {
      if (i + kBucketsAhead < buckets_) vitrine::prefetch(bucket_at(i + kBucketsAhead));
      if (i + kWordsAhead < buckets_) visit_bucket(bucket_at(i + kWordsAhead), [](Word w) { Policy::prefetch(w); });
      visit_bucket(bucket_at(i), visit);
    }
  }

  // Makes room for so many words at once. Does nothing unless the table is empty.
  void reserve(size_t count) {
    size_t buckets = count * 2 / kMeanLoadTwice + 1;
    if (count_ > 0 || buckets <= buckets_) return;
    release_all();
    bool segmented = buckets > kSegmentBuckets;
    buckets_ = segmented ? (buckets + kSegmentBuckets - 1) & ~(kSegmentBuckets - 1) : std::bit_ceil(buckets);
    level_ = static_cast<unsigned>(std::bit_width(buckets_)) - 1;
    size_t each = segmented ? kSegmentBuckets : buckets_;
    for (size_t made = 0; made < buckets_; made += each) segments_.push_back(table_detail::new_buckets(each));
  }

  // A uniformly random word. REQUIRES: !empty().
  Word random(Random& random) const {
    while (true) {
      Bucket* bucket = bucket_at(random.below(buckets_));
      unsigned nth = static_cast<unsigned>(random.below(kMaxUniform));
      Word found = 0;
      bool hit = false;
      visit_bucket(bucket, [&](Word w) {
        if (nth-- == 0) found = w, hit = true;
      });
      if (hit) return found;
    }
  }

  // All words of neighbouring buckets from a random start, until at least `want` were seen (or all): for sampling
  // (eviction, estimates). Whole buckets, so that a word's place within its bucket does not matter; near uniform.
  template <class Visit>
  void sample(Random& random, size_t want, Visit visit) const {
    size_t start = random.below(buckets_), seen = 0;
    for (size_t i = 0; i < buckets_ && seen < want; i++) {
      size_t index = start + i < buckets_ ? start + i : start + i - buckets_;
      visit_bucket(bucket_at(index), [](Word w) { Policy::prefetch(w); });
      visit_bucket(bucket_at(index), [&](Word w) { seen++, visit(w); });
    }
  }

  void clear() { release_all(), reset(); }

  // Bytes held by the table itself (not what the words point to): buckets, directory, and what overflow blocks take at
  // such a load, as measured: 15.6 bytes a bucket at a load of 8.5, 24 at 10.
  size_t memory_bytes() const {
    size_t bytes = segments_.capacity() * sizeof(Bucket*) + buckets_allocated() * sizeof(Bucket);
    size_t unlikely = buckets_ * 23 / 2;  // twice the load at which hardly any bucket overflows
    return bytes + (count_ * 2 > unlikely ? (count_ * 2 - unlikely) * 17 / 6 : 0);
  }

  // How many words the buckets hold: histogram[n] = buckets with n words (for DEBUG HTSTATS).
  std::vector<size_t> load_histogram() const {
    std::vector<size_t> histogram;
    for (size_t i = 0; i < buckets_; i++) {
      size_t n = 0;
      visit_bucket(bucket_at(i), [&](Word) { n++; });
      if (histogram.size() <= n) histogram.resize(n + 1);
      histogram[n]++;
    }
    return histogram;
  }

 private:
  static constexpr size_t kSegmentBits = 12;
  static constexpr size_t kSegmentBuckets = size_t{1} << kSegmentBits;
  static constexpr uint64_t kMaxUniform = 40;  // a bucket with more words than this is rarer than cosmic rays

  static uint64_t reverse_bits(uint64_t v) {
    v = ((v >> 1) & 0x5555555555555555ull) | ((v & 0x5555555555555555ull) << 1);
    v = ((v >> 2) & 0x3333333333333333ull) | ((v & 0x3333333333333333ull) << 2);
    v = ((v >> 4) & 0x0f0f0f0f0f0f0f0full) | ((v & 0x0f0f0f0f0f0f0f0full) << 4);
    return __builtin_bswap64(v);
  }

  size_t index_of(uint64_t hash) const {
    size_t wide = hash & ((size_t{2} << level_) - 1);
    return wide < buckets_ ? wide : hash & ((size_t{1} << level_) - 1);
  }
  // The hash bits that decide membership of bucket `index`.
  uint64_t mask_of(size_t index) const {
    size_t half = size_t{1} << level_;
    bool wide = index >= half || index + half < buckets_;
    return (wide ? half * 2 : half) - 1;
  }
  Bucket* bucket_at(size_t index) const {
    return segments_[index >> kSegmentBits] + (index & (kSegmentBuckets - 1));
  }
  static uint8_t* slot(Position p) {
    if (p.index < table_detail::kSlots) return p.bucket->word(p.index);
    return p.bucket->overflow()->word(p.index - table_detail::kSlots);
  }

  template <class Visit>
  static void visit_bucket(Bucket* bucket, Visit&& visit) {
    unsigned used = bucket->used();
    for (unsigned m = used; m; m &= m - 1) visit(table_detail::load_word(bucket->word(std::countr_zero(m))));
    if (Overflow* over = bucket->overflow())
      for (int i = 0; i < over->count; i++) visit(table_detail::load_word(over->word(i)));
  }

  size_t buckets_allocated() const {
    return segments_.size() == 1 ? std::bit_ceil(buckets_) : segments_.size() * kSegmentBuckets;
  }

  // Makes room for bucket number `buckets_`.
  void extend() {
    if (buckets_ < kSegmentBuckets) {
      if (!std::has_single_bit(buckets_)) return;
      Bucket* larger = table_detail::new_buckets(buckets_ * 2);
      std::memcpy(larger, segments_[0], buckets_ * sizeof(Bucket));
      memory::release(segments_[0], buckets_ * sizeof(Bucket));
      segments_[0] = larger;
    } else if ((buckets_ & (kSegmentBuckets - 1)) == 0) {
      segments_.push_back(table_detail::new_buckets(kSegmentBuckets));
    }
  }

  void split_one() {
    extend();
    size_t half = size_t{1} << level_;
    size_t from = buckets_ - half, to = buckets_;
    Bucket old = *bucket_at(from);
    Bucket* low = bucket_at(from);
    Bucket* high = bucket_at(to);
    std::memset(static_cast<void*>(low), 0, sizeof(Bucket));
    visit_bucket(&old, [](Word w) { Policy::prefetch(w); });
    visit_bucket(&old, [&](Word w) {
      uint64_t hash = Policy::hash(w);
      table_detail::append(hash & half ? high : low, table_detail::tag_of(hash), w);
    });
    table_detail::drop_overflow(&old);
    if (++buckets_ == half * 2) level_++;
  }

  void merge_one() {
    size_t last = buckets_ - 1;
    if (last < size_t{1} << level_) level_--;
    size_t into = last - (size_t{1} << level_);
    Bucket* from = bucket_at(last);
    Bucket* to = bucket_at(into);
    visit_tagged(from, [&](uint8_t tag, Word w) { table_detail::append(to, tag, w); });
    table_detail::drop_overflow(from);
    std::memset(static_cast<void*>(from), 0, sizeof(Bucket));
    buckets_--;
    shorten();
  }

  template <class Visit>
  static void visit_tagged(Bucket* bucket, Visit visit) {
    for (unsigned m = bucket->used(); m; m &= m - 1) {
      int i = std::countr_zero(m);
      visit(bucket->tags[i], table_detail::load_word(bucket->word(i)));
    }
    if (Overflow* over = bucket->overflow())
      for (int i = 0; i < over->count; i++) visit(over->tags()[i], table_detail::load_word(over->word(i)));
  }

  // Gives back the memory behind bucket number `buckets_` when nothing else needs it.
  void shorten() {
    if (buckets_ >= kSegmentBuckets) {
      if ((buckets_ & (kSegmentBuckets - 1)) != 0) return;
      memory::release(segments_.back(), kSegmentBuckets * sizeof(Bucket));
      segments_.pop_back();
    } else if (std::has_single_bit(buckets_)) {
      Bucket* smaller = table_detail::new_buckets(buckets_);
      std::memcpy(smaller, segments_[0], buckets_ * sizeof(Bucket));
      memory::release(segments_[0], buckets_ * 2 * sizeof(Bucket));
      segments_[0] = smaller;
    }
  }

  void release_all() {
    if (segments_.empty()) return;
    for (size_t i = 0; i < buckets_; i++) table_detail::drop_overflow(bucket_at(i));
    size_t each = segments_.size() == 1 ? std::bit_ceil(buckets_) : kSegmentBuckets;
    for (Bucket* segment : segments_) memory::release(segment, each * sizeof(Bucket));
    segments_.clear();
  }
  void reset() {
    segments_ = {table_detail::new_buckets(1)};
    buckets_ = 1, level_ = 0, count_ = 0;
  }

  std::vector<Bucket*> segments_;
  size_t buckets_ = 1;
  unsigned level_ = 0;
  size_t count_ = 0;
};

}  // namespace vitrine
