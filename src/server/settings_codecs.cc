#include "server/settings_codecs.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <unistd.h>

#include "base/numbers.h"
#include "engine/client_options.h"
#include "engine/observe_options.h"

namespace vitrine {

namespace {

class WorkingDirectoryCodec : public SettingCodec {
 public:
  Refusal assign(std::span<const std::string> words) override {
    return chdir(words[0].c_str()) == 0 ? "" : std::strerror(errno);
  }
  std::string format() const override {
    char path[PATH_MAX];
    return getcwd(path, sizeof path) ? path : "";
  }
  Words save() const override {
    std::string path = format();
    return {path.empty() ? "." : path};   // it was removed, and has no name to go back to
  }
  Words lines() const override { return {quote_word(format())}; }
};

class OutputLimitsCodec : public SettingCodec {
 public:
  explicit OutputLimitsCodec(ClientOptions* options) : options_(options) {}

  Refusal assign(std::span<const std::string> words) override {
    if (words.size() % 4) return "Wrong number of arguments in buffer limit configuration.";
    ClientOptions fresh = *options_;
    for (size_t i = 0; i < words.size(); i += 4) {
      OutputBufferLimit* limit = by_class(fresh, words[i]);
      if (!limit) return "Invalid client class specified in buffer limit configuration.";
      std::optional<uint64_t> hard = parse_memory(words[i + 1]), soft = parse_memory(words[i + 2]);
      std::optional<int64_t> seconds = parse_int64(words[i + 3]);
      if (!hard || !soft || !seconds || *seconds < 0)
        return "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
      *limit = {*hard, *soft, *seconds};
    }
    options_->output_normal = fresh.output_normal;
    options_->output_replica = fresh.output_replica;
    options_->output_pubsub = fresh.output_pubsub;
    return {};
  }

  std::string format() const override {
    auto one = [](const char* name, const OutputBufferLimit& limit) {
      return name + (' ' + std::to_string(limit.hard_bytes)) + ' ' + std::to_string(limit.soft_bytes) + ' ' +
             std::to_string(limit.soft_s);
    };
    return one("normal", options_->output_normal) + ' ' + one("slave", options_->output_replica) + ' ' +
           one("pubsub", options_->output_pubsub);
  }

  Words save() const override { return split_words(format()).value(); }

  Words lines() const override {
    auto one = [](const char* name, const OutputBufferLimit& limit) {
      return name + (' ' + format_memory(limit.hard_bytes)) + ' ' + format_memory(limit.soft_bytes) + ' ' +
             std::to_string(limit.soft_s);
    };
    return {one("normal", options_->output_normal), one("replica", options_->output_replica),
            one("pubsub", options_->output_pubsub)};
  }
  bool lines_are_independent() const override { return true; }

 private:
  static OutputBufferLimit* by_class(ClientOptions& options, Bytes name) {
    if (equals_ignoring_case(name, "normal")) return &options.output_normal;
    if (equals_ignoring_case(name, "slave") || equals_ignoring_case(name, "replica")) return &options.output_replica;
    if (equals_ignoring_case(name, "pubsub")) return &options.output_pubsub;
    return nullptr;
  }

  ClientOptions* options_;
};

class SavePointsCodec : public SettingCodec {
 public:
  using Points = std::vector<std::pair<int64_t, int>>;
  explicit SavePointsCodec(Points* points) : points_(points) {}

  // The lines of a file add up, without the default; CONFIG SET replaces.
  void begin_load() override {
    points_->clear();
    loading_ = true;
  }
  void end_load() override { loading_ = false; }

  Refusal assign(std::span<const std::string> words) override {
    if (words.empty() || (words.size() == 1 && words[0].empty())) {
      points_->clear();
      return {};
    }
    if (words.size() % 2) return "Invalid save parameters";
    Points fresh;
    for (size_t i = 0; i < words.size(); i += 2) {
      std::optional<int64_t> seconds = parse_int64(words[i]), changes = parse_int64(words[i + 1]);
      if (!seconds || *seconds < 1 || !changes || *changes < 0 || *changes > INT_MAX) return "Invalid save parameters";
      fresh.emplace_back(*seconds, static_cast<int>(*changes));
    }
    if (!loading_) points_->clear();
    points_->insert(points_->end(), fresh.begin(), fresh.end());
    return {};
  }

  std::string format() const override {
    std::string out;
    for (const std::string& line : lines())
      if (line != "\"\"") (out += out.empty() ? "" : " ") += line;
    return out;
  }
  Words save() const override { return split_words(format()).value(); }
  Words lines() const override {
    Words out;
    for (auto [seconds, changes] : *points_) out.push_back(std::to_string(seconds) + ' ' + std::to_string(changes));
    if (out.empty()) out.push_back("\"\"");
    return out;
  }

 private:
  Points* points_;
  bool loading_ = false;
};

class PercentilesCodec : public SettingCodec {
 public:
  explicit PercentilesCodec(std::vector<double>* percentiles) : percentiles_(percentiles) {}
  Refusal assign(std::span<const std::string> words) override {
    std::vector<double> fresh;
    for (const std::string& word : words) {
      if (words.size() == 1 && word.empty()) break;
      std::optional<double> percentile = parse_double(word);
      if (!percentile) return "Invalid latency-tracking-info-percentiles parameters";
      if (*percentile < 0 || *percentile > 100)
        return "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]";
      fresh.push_back(*percentile);
    }
    *percentiles_ = std::move(fresh);
    return {};
  }
  std::string format() const override {
    std::string out;
    for (double percentile : *percentiles_) {
      char text[32];
      int length = std::snprintf(text, sizeof text, "%.6f", percentile);
      while (text[length - 1] == '0') length--;
      if (text[length - 1] == '.') length--;
      (out += out.empty() ? "" : " ") += Bytes(text, static_cast<size_t>(length));
    }
    return out;
  }
  Words save() const override {
    Words out;
    for (double percentile : *percentiles_) out.push_back(format_double(percentile));
    return out;
  }
  Words lines() const override {
    std::string words = format();
    return {words.empty() ? "\"\"" : words};
  }

 private:
  std::vector<double>* percentiles_;
};

class OomValuesCodec : public SettingCodec {
 public:
  explicit OomValuesCodec(std::array<int, 3>* values) : values_(values) {}
  Refusal assign(std::span<const std::string> words) override {
    if (words.size() != values_->size()) return "wrong number of arguments";
    std::array<int, 3> fresh;
    for (size_t i = 0; i < fresh.size(); i++) {
      std::optional<int64_t> value = parse_int64(words[i]);
      if (!value || *value < -2000 || *value > 2000)
        return "Invalid oom-score-adj-values, elements must be between -2000 and 2000.";
      fresh[i] = static_cast<int>(*value);
    }
    *values_ = fresh;
    return {};
  }
  std::string format() const override {
    return std::to_string((*values_)[0]) + ' ' + std::to_string((*values_)[1]) + ' ' + std::to_string((*values_)[2]);
  }
  Words save() const override { return split_words(format()).value(); }

 private:
  std::array<int, 3>* values_;
};

class NotifyEventsCodec : public SettingCodec {
 public:
  explicit NotifyEventsCodec(uint32_t* events) : events_(events) {}
  Refusal assign(std::span<const std::string> words) override {
    std::optional<uint32_t> events = parse_notify_events(words[0]);
    if (!events) return "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.";
    *events_ = *events;
    return {};
  }
  std::string format() const override { return format_notify_events(*events_); }
  Words lines() const override { return {quote_word(format())}; }

 private:
  uint32_t* events_;
};

class LeaderCodec : public SettingCodec {
 public:
  explicit LeaderCodec(std::vector<std::string>* leader) : leader_(leader) {}
  Refusal assign(std::span<const std::string> words) override {
    if (words.size() != 2) return "wrong number of arguments";
    leader_->clear();
    if (equals_ignoring_case(words[0], "no") && equals_ignoring_case(words[1], "one")) return {};
    std::optional<int64_t> port = parse_int64(words[1]);
    if (!port || *port < 0 || *port > 65535) return "Invalid master port";
    leader_->assign(words.begin(), words.end());
    return {};
  }
  std::string format() const override { return leader_->empty() ? "" : (*leader_)[0] + ' ' + (*leader_)[1]; }
  Words save() const override { return leader_->empty() ? Words{"no", "one"} : *leader_; }
  Words lines() const override { return leader_->empty() ? Words() : Words{format()}; }

 private:
  std::vector<std::string>* leader_;
};

}  // namespace

std::unique_ptr<SettingCodec> working_directory_codec() { return std::make_unique<WorkingDirectoryCodec>(); }
std::unique_ptr<SettingCodec> output_limits_codec(ClientOptions* options) {
  return std::make_unique<OutputLimitsCodec>(options);
}
std::unique_ptr<SettingCodec> save_points_codec(std::vector<std::pair<int64_t, int>>* points) {
  return std::make_unique<SavePointsCodec>(points);
}
std::unique_ptr<SettingCodec> percentiles_codec(std::vector<double>* percentiles) {
  return std::make_unique<PercentilesCodec>(percentiles);
}
std::unique_ptr<SettingCodec> oom_values_codec(std::array<int, 3>* values) {
  return std::make_unique<OomValuesCodec>(values);
}
std::unique_ptr<SettingCodec> notify_events_codec(uint32_t* events) {
  return std::make_unique<NotifyEventsCodec>(events);
}
std::unique_ptr<SettingCodec> leader_codec(std::vector<std::string>* leader) {
  return std::make_unique<LeaderCodec>(leader);
}

Refusal check_title_template(Bytes text) {
  constexpr Bytes kKnown[] = {"title", "server-mode", "listen-addr", "port", "tls-port", "unixsocket", "config-file"};
  constexpr size_t kMayBeEmpty = 2;  // of these, the first may say nothing
  Refusal refusal = "template format is invalid or contains unknown variables";
  bool says_something = false;
  while (!text.empty()) {
    size_t open = text.find('{');
    says_something |= text.substr(0, open).find_first_not_of(' ') != Bytes::npos;
    if (open == Bytes::npos) break;
    size_t close = text.find('}', open);
    if (close == Bytes::npos) return refusal;
    auto known = std::find(std::begin(kKnown), std::end(kKnown), text.substr(open + 1, close - open - 1));
    if (known == std::end(kKnown)) return refusal;
    says_something |= known >= std::begin(kKnown) + kMayBeEmpty;
    text.remove_prefix(close + 1);
  }
  return says_something ? "" : refusal;
}

}  // namespace vitrine
