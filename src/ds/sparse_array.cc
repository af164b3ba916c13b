#include "ds/sparse_array.h"

#include <algorithm>

#include "base/memory.h"

namespace vitrine {

namespace {

TimeId key(uint64_t index) { return {index, 0}; }

}  // namespace

template <class Visit>
void SparseArray::for_each_slice(Visit visit) const {
  if (single_) visit(single_);
  if (directory_)
    for (auto c = directory_->tree.first(); c; ++c) visit(ArraySlice(c->word));
}

SparseArray::SparseArray(const SparseArray& other) : count_(other.count_) {
  if (other.single_) single_ = other.single_.clone();
  if (!other.directory_) return;
  directory_ = std::make_unique<Directory>();
  for (auto c = other.directory_->tree.first(); c; ++c)
    directory_->tree.insert(c->id, ArraySlice(c->word).clone().word());
}

void SparseArray::clear() {
  for_each_slice([](ArraySlice slice) { slice.free(); });
  single_ = ArraySlice();
  directory_ = nullptr;
  count_ = 0;
}

// ---- finding ----

SparseArray::Place SparseArray::place_of(uint64_t index) const {
  if (!directory_) return {single_, {}};
  const Directory& d = *directory_;
  if (index < d.from || index > d.to) {
    auto c = d.tree.at_or_before(key(index));
    if (!c) return {};
    auto next = c;
    ++next;
    d.from = c->id.ms;
    d.to = next ? next->id.ms - 1 : UINT64_MAX;
    d.found = c;
  }
  return at(d.found);
}

SparseArray::Place SparseArray::first_place() const {
  return directory_ ? at(directory_->tree.first()) : Place{single_, {}};
}

SparseArray::Place SparseArray::place_for(uint64_t index) {
  if (!directory_ && !single_) single_ = ArraySlice::create();
  Place place = place_of(index);
  if (place.slice) return place;
  // Below the first key: the first slice takes what is there as well.
  IdTree& tree = directory_->tree;
  uint64_t word = tree.first()->word;
  tree.erase(tree.first()->id);
  tree.insert(key(0), word);
  directory_->forget();
  return place_of(index);
}

std::optional<Bytes> SparseArray::get(uint64_t index) const {
  Place place = place_of(index);
  if (!place.slice) return std::nullopt;
  size_t at = place.slice.lower_bound(index);
  if (at == place.slice.count() || place.slice.index(at) != index) return std::nullopt;
  return place.slice.value(at);
}

SparseArray::Cursor SparseArray::at_or_after(uint64_t index) const {
  Place place = place_of(index);
  if (!place.slice) place = first_place();
  if (!place.slice) return {};
  size_t at = place.slice.lower_bound(index);
  if (at < place.slice.count()) return {place.slice, place.at, at};
  Cursor last(place.slice, place.at, at - 1);
  return ++last;
}

SparseArray::Cursor SparseArray::at_or_before(uint64_t index) const {
  Place place = place_of(index);
  if (!place.slice) return {};
  size_t at = place.slice.lower_bound(index);
  if (at < place.slice.count() && place.slice.index(at) == index) return {place.slice, place.at, at};
  Cursor above(place.slice, place.at, at);
  return --above;
}

uint64_t SparseArray::length() const {
  if (single_) return single_.last() + 1;
  return directory_ ? ArraySlice(directory_->tree.last()->word).last() + 1 : 0;
}

// ---- changing ----

void SparseArray::keep(const Place& place) {
  if (place.at) (*IdTree::Cursor(place.at)).word = place.slice.word();
  else single_ = place.slice;
}

// A slice whose indexes lie between those of two others, or behind all.
void SparseArray::add_slice(ArraySlice slice) {
  if (!directory_) {
    directory_ = std::make_unique<Directory>();
    directory_->tree.insert(key(0), single_.word());
    single_ = ArraySlice();
  }
  directory_->tree.insert(key(slice.first()), slice.word());
  directory_->forget();
}

void SparseArray::remove_slice(const Place& place) {
  if (!place.at) {
    single_ = ArraySlice();
    return;
  }
  directory_->tree.erase(place.at->id);
  directory_->forget();
  if (directory_->tree.empty()) directory_ = nullptr;
}

void SparseArray::insert(Place place, uint64_t index, Bytes value) {
  ArraySlice& slice = place.slice;
  size_t at = slice.lower_bound(index), n = slice.count();
  if (slice.fits(index, value.size())) {
    slice.insert(at, index, value);
    return keep(place);
  }
  if (at > 0 && at < n) {
    split_in_half(place);
    return insert(place_of(index), index, value);
  }
  // In front of a full slice or behind it: that one stays full.
  ArraySlice fresh = ArraySlice::create();
  fresh.insert(0, index, value);
  if (at == 0) {
    std::swap(place.slice, fresh);
    keep(place);
  }
  add_slice(fresh);
}

void SparseArray::split_in_half(Place place) {
  ArraySlice upper = place.slice.split(place.slice.count() / 2);
  keep(place);
  add_slice(upper);
}

bool SparseArray::set(uint64_t index, Bytes value) {
  Place place = place_for(index);
  size_t at = place.slice.lower_bound(index);
  if (at < place.slice.count() && place.slice.index(at) == index) {
    place.slice.replace(at, value);
    keep(place);
    if (place.slice.used() > ArraySlice::kFullBytes) split_in_half(place);
    return false;
  }
  insert(place, index, value);
  count_++;
  return true;
}

uint64_t SparseArray::erase_range(uint64_t from, uint64_t to) {
  uint64_t erased = 0;
  while (from <= to) {
    Cursor c = at_or_after(from);
    if (!c || c.index() > to) break;
    Place place{c.slice_, c.place_};
    size_t end = place.slice.lower_bound(to);
    if (end < place.slice.count() && place.slice.index(end) == to) end++;
    erased += end - c.at_;
    from = place.slice.index(end - 1) + 1;
    if (end - c.at_ == place.slice.count()) {
      remove_slice(place);
      place.slice.free();
    } else {
      place.slice.erase(c.at_, end);
      keep(place);
      merge_if_small(place);
    }
  }
  count_ -= erased;
  return erased;
}

void SparseArray::merge_if_small(const Place& place) {
  if (!place.at || place.slice.used() >= ArraySlice::kFullBytes / 4) return;
  auto neighbour = place.at;
  ++neighbour;
  Place left = place, right = at(neighbour);
  if (!right.slice || !left.slice.fits(right.slice)) {
    neighbour = place.at;
    right = place, left = at(--neighbour);
    if (!left.slice || !left.slice.fits(right.slice)) return;
  }
  left.slice.merge(right.slice);
  keep(left);
  remove_slice(right);
}

// ---- looking at it ----

size_t SparseArray::memory(size_t samples) const {
  size_t bytes = 0, seen = 0, all = slices();
  if (directory_) {
    bytes = directory_->tree.memory() + memory::good_size(sizeof(Directory));
    size_t of_slices = 0;
    for (auto c = directory_->tree.first(); c && (samples == 0 || seen < samples); ++c, seen++)
      of_slices += ArraySlice(c->word).memory();
    bytes += seen < all ? static_cast<size_t>(static_cast<double>(of_slices) / static_cast<double>(seen) *
                                              static_cast<double>(all))
                        : of_slices;
  }
  if (single_) bytes += single_.memory();
  return bytes;
}

size_t SparseArray::allocations(size_t enough) const {
  if (single_) return 1 + single_.far();
  size_t n = 0;
  if (directory_)
    for (auto c = directory_->tree.first(); c && n < enough; ++c) n += 1 + ArraySlice(c->word).far();
  return n;
}

SparseArray::Figures SparseArray::figures() const {
  Figures f;
  for_each_slice([&](ArraySlice slice) {
    f.slices++;
    if (slice.width() == 0) {
      f.dense++;
      f.dense_values += slice.count();
      f.dense_room += slice.room();
      f.dense_used += slice.used();
    } else {
      f.sparse_values += slice.count();
      f.sparse_room += slice.room();
    }
  });
  if (directory_) f.directory_bytes = directory_->tree.memory();
  return f;
}

bool SparseArray::sound() const {
  uint64_t n = 0;
  bool good = true;
  for_each_slice([&](ArraySlice slice) {
    good = good && slice.sound();
    n += slice.count();
  });
  if (!good || n != count_ || (single_ && directory_)) return false;
  if (!directory_) return true;
  const IdTree& tree = directory_->tree;
  if (!tree.sound() || tree.empty()) return false;
  for (auto c = tree.first(); c; ++c) {
    auto next = c;
    ++next;
    if (ArraySlice(c->word).first() < c->id.ms) return false;
    if (next && ArraySlice(c->word).last() >= next->id.ms) return false;
  }
  return true;
}

}  // namespace vitrine
