#include "base/settings_codecs.h"

#include <cstring>

#include "base/check.h"
#include "base/numbers.h"

namespace vitrine {

namespace {

class BooleanCodec : public SettingCodec {
 public:
  explicit BooleanCodec(bool* target) : target_(target) {}
  Refusal assign(std::span<const std::string> words) override {
    if (equals_ignoring_case(words[0], "yes"))
      *target_ = true;
    else if (equals_ignoring_case(words[0], "no"))
      *target_ = false;
    else
      return "argument must be 'yes' or 'no'";
    return {};
  }
  std::string format() const override { return *target_ ? "yes" : "no"; }

 private:
  bool* target_;
};

// Values travel as 64 bits; `is_signed` says how to compare and print them.
class NumberCodec : public SettingCodec {
 public:
  NumberCodec(NumberRef target, uint64_t low, uint64_t high, NumberForm form)
      : target_(target), low_(low), high_(high), form_(form) {}

  Refusal assign(std::span<const std::string> words) override {
    uint64_t value = 0;
    bool negative = false;
    if (Refusal refusal = parse(words[0], value, negative); !refusal.empty()) return refusal;
    if (is_share(value)) {
      if (target_.is_signed && negative && 0 - value > 0 - low_)
        return "percentage argument must be less or equal to " + text_of(0 - low_);
    } else if (outside(value, negative)) {
      return "argument must be between " + text_of(low_) + " and " + text_of(high_) + " inclusive";
    }
    target_.write(value);
    return {};
  }

  bool says_the_same(std::span<const std::string> words) const override {
    uint64_t value = 0;
    bool negative = false;
    return words.size() == 1 && parse(words[0], value, negative).empty() && value == target_.read();
  }

  std::string format() const override {
    uint64_t value = target_.read();
    if (is_share(value)) return text_of(0 - value) + "%";
    return text_of(value);
  }

  Words lines() const override {
    uint64_t value = target_.read();
    bool amount = form_ == NumberForm::memory || (form_ == NumberForm::memory_or_percent && !is_share(value));
    return {amount ? format_memory(value) : format()};
  }

 private:
  bool is_share(uint64_t value) const {
    return form_ == NumberForm::memory_or_percent && static_cast<int64_t>(value) < 0;
  }

  Refusal parse(Bytes word, uint64_t& value, bool& negative) const {
    switch (form_) {
      case NumberForm::memory_or_percent:
        if (word.ends_with('%')) {
          std::optional<uint64_t> share = parse_percent(word);
          if (!share || *share > INT64_MAX) return "argument must be a memory or percent value";
          value = 0 - *share;
          negative = *share > 0;
          return {};
        }
        [[fallthrough]];
      case NumberForm::memory: {
        std::optional<uint64_t> amount = parse_memory(word);
        if (!amount)
          return form_ == NumberForm::memory ? "argument must be a memory value"
                                             : "argument must be a memory or percent value";
        value = *amount;
        if (is_share(value)) value = INT64_MAX;
        return {};
      }
      case NumberForm::octal: return parse_octal(word, value);
      case NumberForm::integer: break;
    }
    std::optional<int64_t> whole = parse_int64(word);
    if (!whole) return "argument couldn't be parsed into an integer";
    value = static_cast<uint64_t>(*whole);
    negative = *whole < 0;
    return {};
  }

  static Refusal parse_octal(Bytes word, uint64_t& value) {
    value = 0;
    bool good = !word.empty() && word.size() <= 10;
    for (char c : word) {
      good = good && c >= '0' && c <= '7';
      value = value * 8 + static_cast<uint64_t>(c - '0');
    }
    return good ? "" : "argument couldn't be parsed as an octal number";
  }

  bool outside(uint64_t value, bool negative) const {
    if (!target_.is_signed) return negative || value < low_ || value > high_;
    if (!negative && value > INT64_MAX) return true;
    int64_t number = static_cast<int64_t>(value);
    return number < static_cast<int64_t>(low_) || number > static_cast<int64_t>(high_);
  }

  std::string text_of(uint64_t value) const {
    if (form_ == NumberForm::octal) return octal_text(value);
    return target_.is_signed ? std::to_string(static_cast<int64_t>(value)) : std::to_string(value);
  }
  static std::string octal_text(uint64_t value) {
    std::string out;
    do {
      out.insert(out.begin(), static_cast<char>('0' + (value & 7)));
    } while (value >>= 3);
    return out;
  }

  NumberRef target_;
  uint64_t low_, high_;
  NumberForm form_;
};

class TextCodec : public SettingCodec {
 public:
  explicit TextCodec(std::string* target) : target_(target) {}
  Refusal assign(std::span<const std::string> words) override {
    *target_ = words[0];
    return {};
  }
  std::string format() const override { return *target_; }
  Words lines() const override { return {quote_word(*target_)}; }

 private:
  std::string* target_;
};

class WordsCodec : public SettingCodec {
 public:
  explicit WordsCodec(Words* target) : target_(target) {}
  Refusal assign(std::span<const std::string> words) override {
    target_->assign(words.begin(), words.end());
    if (target_->size() == 1 && target_->front().empty()) target_->clear();
    return {};
  }
  std::string format() const override {
    std::string out;
    for (const std::string& word : *target_) (out += out.empty() ? "" : " ") += word;
    return out;
  }
  Words save() const override { return *target_; }
  Words lines() const override {
    std::string out;
    for (const std::string& word : *target_) (out += out.empty() ? "" : " ") += quote_word_if_needed(word);
    return {out.empty() ? "\"\"" : out};
  }

 private:
  Words* target_;
};

class EnumerationCodec : public SettingCodec {
 public:
  EnumerationCodec(NumberRef target, std::span<const EnumName> names, bool flags)
      : target_(target), names_(names), flags_(flags) {}
  Refusal assign(std::span<const std::string> words) override {
    uint64_t value = 0;
    bool known = !words.empty();
    for (const std::string& word : words) {
      const EnumName* name = find(word);
      known = known && name;
      if (name) value |= static_cast<uint64_t>(static_cast<int64_t>(name->value));
    }
    if (!known) return "argument(s) must be one of the following: " + all_names();
    target_.write(value);
    return {};
  }
  std::string format() const override {
    int value = static_cast<int>(target_.read());
    for (const EnumName& name : names_)
      if (name.value == value) return name.name;
    std::string out;
    for (const EnumName& name : names_)
      if (flags_ && name.value && (value & name.value) == name.value) (out += out.empty() ? "" : " ") += name.name;
    return out;
  }
  Words save() const override { return split_words(format()).value(); }

 private:
  const EnumName* find(Bytes word) const {
    for (const EnumName& name : names_)
      if (equals_ignoring_case(word, name.name)) return &name;
    return nullptr;
  }
  std::string all_names() const {
    std::string out;
    for (const EnumName& name : names_) (out += out.empty() ? "" : ", ") += name.name;
    return out;
  }

  NumberRef target_;
  std::span<const EnumName> names_;
  bool flags_;
};

}  // namespace

uint64_t NumberRef::read() const {
  uint64_t value = 0;
  std::memcpy(&value, at, bytes);
  if (!is_signed || bytes == 8) return value;
  int shift = 64 - 8 * bytes;
  return static_cast<uint64_t>(static_cast<int64_t>(value << shift) >> shift);
}

void NumberRef::write(uint64_t value) const { std::memcpy(at, &value, bytes); }

std::unique_ptr<SettingCodec> boolean_codec(bool* target) { return std::make_unique<BooleanCodec>(target); }
std::unique_ptr<SettingCodec> number_codec(NumberRef target, uint64_t low, uint64_t high, NumberForm form) {
  return std::make_unique<NumberCodec>(target, low, high, form);
}
std::unique_ptr<SettingCodec> text_codec(std::string* target) { return std::make_unique<TextCodec>(target); }
std::unique_ptr<SettingCodec> words_codec(Words* target) {
  return std::make_unique<WordsCodec>(target);
}
std::unique_ptr<SettingCodec> enumeration_codec(NumberRef target, std::span<const EnumName> names, bool flags) {
  return std::make_unique<EnumerationCodec>(target, names, flags);
}

}  // namespace vitrine
