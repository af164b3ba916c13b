// Commands that steer the engine itself: bound at registration to the object they steer.
#pragma once

namespace vitrine {

class CommandRegistry;
class Dispatcher;
class PubSub;
class Sessions;
class Tracking;

void add_session_commands(CommandRegistry& registry, Dispatcher& dispatcher);
void add_client_commands(CommandRegistry& registry, Dispatcher& dispatcher);
void add_acl_commands(CommandRegistry& registry, Dispatcher& dispatcher);
void add_table_commands(CommandRegistry& registry);
void add_pubsub_commands(CommandRegistry& registry, PubSub& pubsub);
void add_tracking_commands(CommandRegistry& registry, Tracking& tracking, const Sessions& sessions);
void add_transaction_commands(CommandRegistry& registry, Dispatcher& dispatcher);

}  // namespace vitrine
