// The usual kinds of settings: how their words become values. Used by settings.cc alone.
#pragma once

#include "base/settings.h"

namespace vitrine {

enum class NumberForm { integer, memory, memory_or_percent, octal };

std::unique_ptr<SettingCodec> boolean_codec(bool* target);
std::unique_ptr<SettingCodec> number_codec(NumberRef target, uint64_t low, uint64_t high, NumberForm form);
std::unique_ptr<SettingCodec> text_codec(std::string* target);
std::unique_ptr<SettingCodec> words_codec(Words* target);
std::unique_ptr<SettingCodec> enumeration_codec(NumberRef target, std::span<const EnumName> names, bool flags);

}  // namespace vitrine
