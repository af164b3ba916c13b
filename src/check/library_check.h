// Function libraries that a snapshot holds, compiled and run once as a server does when it loads them.
#pragma once

#include <span>
#include <string>

namespace vitrine {

// Why a server would refuse them, in its words; empty if it would not.
std::string problem_of_libraries(std::span<const std::string> codes);

}  // namespace vitrine
