// Settings with a form of their own: how their words become values.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/settings.h"

namespace vitrine {

struct ClientOptions;

// The process' working directory: changed at once, so that what follows in the file is relative to it.
std::unique_ptr<SettingCodec> working_directory_codec();
// normal 0 0 0 replica 256mb 64mb 60 …: any of the classes; the others keep what they have.
std::unique_ptr<SettingCodec> output_limits_codec(ClientOptions* options);
// 3600 1 300 100: pairs of seconds and changes.
std::unique_ptr<SettingCodec> save_points_codec(std::vector<std::pair<int64_t, int>>* points);
std::unique_ptr<SettingCodec> percentiles_codec(std::vector<double>* percentiles);
std::unique_ptr<SettingCodec> oom_values_codec(std::array<int, 3>* values);
std::unique_ptr<SettingCodec> notify_events_codec(uint32_t* events);
// host port; "no one" is nobody.
std::unique_ptr<SettingCodec> leader_codec(std::vector<std::string>* leader);

// A complaint about a template for the process' title, or nothing.
Refusal check_title_template(Bytes text);

}  // namespace vitrine
