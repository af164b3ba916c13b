#include "persist/aof_reader.h"

#include <algorithm>
#include <cstring>

#include "base/numbers.h"

namespace vitrine {

namespace {

#ifdef VITRINE_HARD
constexpr size_t kChunkBytes = 64;
#else
constexpr size_t kChunkBytes = 256 * 1024;
#endif
constexpr size_t kMostDigits = 18;
constexpr size_t kLongestAnnotation = 1024;
// How much behind a command that the file ends within is searched for others.
constexpr size_t kSearchedBytes = 64 << 20;

std::string shown(char c) {
  if (c > ' ' && c <= '~') return std::string("'") + c + "'";
  constexpr char kDigits[] = "0123456789abcdef";
  unsigned char u = static_cast<unsigned char>(c);
  return std::string("the byte 0x") + kDigits[u >> 4] + kDigits[u & 15];
}

bool is_alone(const CommandBatch& batch, size_t i, Bytes name) {
  auto argv = batch[i];
  return argv.size() == 1 && argv[0].size() == name.size() && equals_ignoring_case(argv[0], name);
}

bool is_command_name(Bytes name) {
  return name.size() > 1 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.';
  });
}

}  // namespace

AofReader::AofReader(ReadFile& file, uint64_t offset, Bytes at_hand)
    : file_(file), buffer_(std::max<size_t>(std::min<uint64_t>(kChunkBytes, file.size()), at_hand.size())),
      filled_(at_hand.size()), buffer_offset_(offset) {
  std::copy(at_hand.begin(), at_hand.end(), buffer_.begin());
  uint64_t before = offset + at_hand.size();
  left_ = file.size() > before ? file.size() - before : 0;
}

bool AofReader::read(CommandBatch& batch, size_t most) {
  batch.clear();
  batch_begin_ = at_;
  while (ending_ == Ending::none) {
    Step step = Step::command;
    while (batch.size() < most && step == Step::command) step = read_unit(batch);
    if (!batch.empty()) return true;
    if (step == Step::broken) settle_broken();
    else if (step == Step::need_more && !refill()) finish();
    batch_begin_ = at_;
  }
  return false;
}

uint64_t AofReader::offset_of(const CommandBatch& batch, size_t i) const {
  return buffer_offset_ + (i ? batch.begin_offset(i) : batch_begin_);
}

// Adds a whole unit, or leaves no trace.
AofReader::Step AofReader::read_unit(CommandBatch& batch) {
  size_t at = at_, before = batch.size();
  int64_t timestamp = timestamp_s_;
  in_transaction_ = false;
  Step step = parse(at, batch);
  if (step == Step::command && is_alone(batch, before, "MULTI")) {
    batch.keep(before);
    in_transaction_ = true;
    step = read_transaction(at, batch);
    transactions_ += step == Step::command;
  } else if (step == Step::command && is_alone(batch, before, "EXEC")) {
    step = fail(at_, "an EXEC stands here without a MULTI before it");
  }
  if (step == Step::command || step == Step::annotation) return at_ = at, Step::command;
  batch.keep(before);
  timestamp_s_ = timestamp;
  return step;
}

AofReader::Step AofReader::read_transaction(size_t& at, CommandBatch& batch) {
  size_t first = batch.size();
  for (;;) {
    size_t begin = at;
    Step step = parse(at, batch);
    if (step == Step::annotation) continue;
    if (step != Step::command) return step;
    size_t last = batch.size() - 1;
    if (is_alone(batch, last, "MULTI")) return fail(begin, "a MULTI stands here within a transaction");
    if (!is_alone(batch, last, "EXEC")) continue;
    batch.keep(last);
    if (last > first) batch.extend_last(at);
    return Step::command;
  }
}

// "*12\r\n". Nine digits are enough for almost all.
AofReader::Step AofReader::parse_length(size_t& at, char mark, uint64_t& value) {
  const char* begin = buffer_.data() + at;
  const char* end = buffer_.data() + filled_;
  if (begin == end) return Step::need_more;
  if (*begin != mark)
    return fail(at, std::string("'") + mark + "' must stand here, not " + shown(*begin));
  const char* p = begin + 1;
  value = 0;
  for (; p < end && *p >= '0' && *p <= '9'; p++) {
    if (p - begin > static_cast<ptrdiff_t>(kMostDigits)) return fail(at, "an impossible length");
    value = value * 10 + static_cast<uint64_t>(*p - '0');
  }
  if (p == end) return Step::need_more;
  bool leading_zero = begin[1] == '0' && p - begin > 2;
  if (*p != '\r' || p == begin + 1 || leading_zero) return fail(static_cast<size_t>(p - buffer_.data()), "no length");
  if (p + 1 == end) return Step::need_more;
  if (p[1] != '\n') return fail(static_cast<size_t>(p + 1 - buffer_.data()), "a line break is not whole");
  at = static_cast<size_t>(p + 2 - buffer_.data());
  return Step::command;
}

AofReader::Step AofReader::parse_annotation(size_t& at) {
  Bytes rest(buffer_.data() + at, filled_ - at);
  size_t newline = rest.substr(0, kLongestAnnotation).find('\n');
  if (newline == Bytes::npos)
    return rest.size() > kLongestAnnotation ? fail(at, "an annotation without an end") : Step::need_more;
  Bytes line = rest.substr(0, newline);
  if (!line.ends_with('\r')) return fail(at + newline, "an annotation does not end with CR LF");
  line.remove_suffix(1);
  // Others than these may come; they are for readers who know them.
  if (line.starts_with("#TS:")) {
    auto seconds = parse_int64(line.substr(4));
    if (!seconds) return fail(at, "an annotation of a time without a time");
    timestamp_s_ = *seconds;
  }
  at += newline + 1;
  return Step::annotation;
}

AofReader::Step AofReader::parse(size_t& at, CommandBatch& batch) {
  command_at_ = at;
  wanted_ = 0;
  if (at < filled_ && buffer_[at] == '#') return parse_annotation(at);
  size_t p = at;
  uint64_t count, length;
  Step step = parse_length(p, '*', count);
  if (step != Step::command) return step;
  if (count == 0) return fail(at, "a command without a name");
  for (; count; count--) {
    step = parse_length(p, '$', length);
    if (step != Step::command) return step;
    if (filled_ - p < length + 2) {
      wanted_ = p + length + 2;
      return Step::need_more;
    }
    const char* bytes = buffer_.data() + p;
    p += length + 2;
    if (bytes[length] != '\r' || bytes[length + 1] != '\n')
      return fail(p - 2, "an argument of " + std::to_string(length) + " bytes does not end here");
    batch.add_argument({bytes, length});
  }
  batch.end_command(at = p);
  return Step::command;
}

AofReader::Step AofReader::fail(size_t at, std::string what) {
  broken_at_ = at;
  sentence_ = "byte " + std::to_string(buffer_offset_ + at) + ": " + what;
  return Step::broken;
}

// Reads more behind what there is of the unit; false when it cannot become whole.
bool AofReader::refill() {
  if (left_ == 0 || (wanted_ > filled_ && wanted_ - filled_ > left_)) return false;
  std::memmove(buffer_.data(), buffer_.data() + at_, filled_ - at_);
  buffer_offset_ += at_;
  filled_ -= at_;
  uint64_t wanted = wanted_ > at_ ? wanted_ - at_ : 0;
  at_ = 0;
  // A unit that does not fit is parsed again from its begin: twice the room each time keeps that cheap.
  size_t room = std::max<size_t>({kChunkBytes, 2 * filled_, wanted});
  return read_some(static_cast<size_t>(std::min<uint64_t>(room - filled_, left_)));
}

// Behind what the buffer holds; false when nothing came.
bool AofReader::read_some(size_t bytes) {
  if (bytes == 0) return false;
  if (buffer_.size() < filled_ + bytes) buffer_.resize(filled_ + bytes);
  auto got = file_.read(buffer_.data() + filled_, bytes);
  if (!got) {
    end(Ending::unreadable, got.error().text);
    left_ = 0;
    return false;
  }
  filled_ += *got;
  left_ = *got == 0 ? 0 : left_ - std::min<uint64_t>(left_, *got);
  return *got > 0;
}

void AofReader::end(Ending ending, std::string sentence) {
  ending_ = ending;
  sentence_ = std::move(sentence);
}

// The file holds no more than part of a unit, or nothing.
void AofReader::finish() {
  if (ending_ != Ending::none) return;
  if (at_ == filled_ && left_ == 0) return end(Ending::whole, "read to the end");
  std::string begin = "byte " + std::to_string(offset()) + ": ";
  uint64_t next = 0;
  if (command_follows(next))
    return end(Ending::broken, "byte " + std::to_string(buffer_offset_ + command_at_) +
                                   ": the file ends within the command that begins here, and yet another begins at "
                                   "byte " + std::to_string(next) + ": a length is damaged");
  if (ending_ != Ending::none) return;
  end(Ending::cut, begin + (in_transaction_ ? "the transaction that begins here has no end"
                                            : "the file ends within the command that begins here"));
}

// A length that was damaged may reach beyond the file's end: then what follows is lost only if the rest is taken for
// part of one command.
bool AofReader::command_follows(uint64_t& where) {
  while (left_ > 0 && filled_ - command_at_ < kSearchedBytes)
    if (!read_some(static_cast<size_t>(std::min<uint64_t>(left_, kSearchedBytes)))) break;
  Bytes all(buffer_.data(), filled_);
  size_t begin = command_at_;
  bool found = false;
  CommandBatch batch;
  for (size_t p = begin; !found && (p = all.find("\r\n*", p)) != Bytes::npos; p++) {
    size_t at = p + 2;
    found = parse(at, batch) == Step::command && is_command_name(batch[0][0]) &&
            (at == filled_ || all[at] == '*' || all[at] == '#');
    where = buffer_offset_ + p + 2;
    batch.clear();
  }
  command_at_ = begin;
  return found;
}

void AofReader::settle_broken() {
  std::string sentence = sentence_;
  uint64_t zeros_from = buffer_offset_ + broken_at_;
  if (only_zeros_follow()) {
    if (ending_ == Ending::none)
      end(Ending::cut, "byte " + std::to_string(zeros_from) + ": from here on there are zeros only");
  } else if (ending_ == Ending::none) {
    end(Ending::broken, std::move(sentence));
  }
}

bool AofReader::only_zeros_follow() {
  auto is_zero = [](char c) { return c == 0; };
  auto begin = buffer_.begin() + static_cast<ptrdiff_t>(broken_at_);
  if (!std::all_of(begin, buffer_.begin() + static_cast<ptrdiff_t>(filled_), is_zero)) return false;
  std::vector<char> piece(kChunkBytes);
  while (left_ > 0) {
    auto got = file_.read(piece.data(), piece.size());
    if (!got) return end(Ending::unreadable, got.error().text), true;
    left_ = *got == 0 ? 0 : left_ - std::min<uint64_t>(left_, *got);
    if (!std::all_of(piece.begin(), piece.begin() + static_cast<ptrdiff_t>(*got), is_zero)) return false;
  }
  return true;
}

}  // namespace vitrine
