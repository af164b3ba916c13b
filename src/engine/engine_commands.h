// Commands that steer the engine itself: bound at registration to the object they steer.
#pragma once

namespace vitrine {

class CommandRegistry;
class Dispatcher;

void add_transaction_commands(CommandRegistry& registry, Dispatcher& dispatcher);

}  // namespace vitrine
