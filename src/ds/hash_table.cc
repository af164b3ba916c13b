#include "ds/hash_table.h"

namespace vitrine::table_detail {

Bucket* new_buckets(size_t count) {
  void* p = memory::allocate(count * sizeof(Bucket));
  std::memset(p, 0, count * sizeof(Bucket));
  return static_cast<Bucket*>(p);
}

namespace {

Overflow* new_overflow(int capacity) {
  auto* over = static_cast<Overflow*>(memory::allocate(Overflow::bytes(capacity)));
  over->capacity = static_cast<uint8_t>(capacity);
  over->count = 0;
  return over;
}

void push(Overflow* over, uint8_t tag, Word word) {
  over->tags()[over->count] = tag;
  store_word(over->word(over->count), word);
  over->count++;
}

// The overflow block with room for one more, grown to fill its size class.
Overflow* grown(Overflow* over) {
  CHECK(over->capacity < 240);
  int capacity = static_cast<int>((memory::good_size(Overflow::bytes(over->capacity + 1)) - 2) / (1 + kWordBytes));
  Overflow* larger = new_overflow(capacity < 255 ? capacity : 255);
  for (int i = 0; i < over->count; i++) push(larger, over->tags()[i], load_word(over->word(i)));
  memory::release(over, Overflow::bytes(over->capacity));
  return larger;
}

}  // namespace

void append(Bucket* bucket, uint8_t tag, Word word) {
  unsigned free = bucket->matches(0);
  if (bucket->overflowed) free &= ~(1u << (kSlots - 1));
  if (free) {
    int i = std::countr_zero(free);
    bucket->tags[i] = tag;
    store_word(bucket->word(i), word);
    return;
  }
  Overflow* over = bucket->overflow();
  if (!over) {
    over = new_overflow(4);
    push(over, bucket->tags[kSlots - 1], load_word(bucket->word(kSlots - 1)));
    bucket->tags[kSlots - 1] = 0;
    bucket->overflowed = 1;
  } else if (over->count == over->capacity) {
    over = grown(over);
  }
  push(over, tag, word);
  store_word(bucket->word(kSlots - 1), reinterpret_cast<Word>(over));
}

void erase(Bucket* bucket, int index) {
  Overflow* over = bucket->overflow();
  if (!over) {
    bucket->tags[index] = 0;
    return;
  }
  // The overflow's last word takes the freed place.
  int last = over->count - 1;
  uint8_t tag = over->tags()[last];
  Word word = load_word(over->word(last));
  if (index < kSlots) {
    bucket->tags[index] = tag;
    store_word(bucket->word(index), word);
  } else {
    over->tags()[index - kSlots] = tag;
    store_word(over->word(index - kSlots), word);
  }
  if (--over->count > 1) return;
  // One word left: it fits the ninth slot again.
  tag = over->tags()[0];
  word = load_word(over->word(0));
  memory::release(over, Overflow::bytes(over->capacity));
  bucket->overflowed = 0;
  bucket->tags[kSlots - 1] = tag;
  store_word(bucket->word(kSlots - 1), word);
}

void drop_overflow(Bucket* bucket) {
  if (Overflow* over = bucket->overflow()) memory::release(over, Overflow::bytes(over->capacity));
  bucket->overflowed = 0;
}

}  // namespace vitrine::table_detail
