// A piece of work that owns what it captured (so it may hold a unique_ptr), run once or many times by its holder.
#pragma once

#include <functional>

namespace vitrine {

using Work = std::move_only_function<void()>;

}  // namespace vitrine
