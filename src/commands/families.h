// The families of data commands: one line each; server/build.cc adds them all.
#pragma once

namespace vitrine {

class CommandRegistry;

void add_string_commands(CommandRegistry& registry);
void add_string_condition_commands(CommandRegistry& registry);
void add_increx_command(CommandRegistry& registry);
void add_bitmap_commands(CommandRegistry& registry);
void add_bitfield_commands(CommandRegistry& registry);
void add_hyperloglog_commands(CommandRegistry& registry);
void add_hyperloglog_debug_commands(CommandRegistry& registry);
void add_geo_commands(CommandRegistry& registry);
void add_geo_search_commands(CommandRegistry& registry);
void add_lcs_command(CommandRegistry& registry);
void add_generic_commands(CommandRegistry& registry);
void add_expiry_commands(CommandRegistry& registry);
void add_set_commands(CommandRegistry& registry);
void add_set_algebra_commands(CommandRegistry& registry);
void add_hash_commands(CommandRegistry& registry);
void add_hash_import_commands(CommandRegistry& registry);
void add_hash_scan_commands(CommandRegistry& registry);
void add_hash_expiry_commands(CommandRegistry& registry);
void add_list_commands(CommandRegistry& registry);
void add_list_waiting_commands(CommandRegistry& registry);
void add_sort_commands(CommandRegistry& registry);
void add_sorted_set_commands(CommandRegistry& registry);
void add_sorted_set_algebra_commands(CommandRegistry& registry);
void add_sorted_set_range_commands(CommandRegistry& registry);
void add_sorted_set_scan_commands(CommandRegistry& registry);
void add_sorted_set_waiting_commands(CommandRegistry& registry);
void add_stream_commands(CommandRegistry& registry);
void add_stream_delete_commands(CommandRegistry& registry);
void add_stream_producer_commands(CommandRegistry& registry);
void add_stream_read_commands(CommandRegistry& registry);
void add_stream_info_commands(CommandRegistry& registry);
void add_stream_group_commands(CommandRegistry& registry);
void add_stream_claim_commands(CommandRegistry& registry);
void add_array_commands(CommandRegistry& registry);
void add_array_append_commands(CommandRegistry& registry);
void add_array_compute_commands(CommandRegistry& registry);
void add_array_search_commands(CommandRegistry& registry);

}  // namespace vitrine
