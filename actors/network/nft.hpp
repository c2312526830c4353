#pragma once

#include <backends/qemu/spawn.hpp>
#include <capsa/loop.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <string>

namespace capsa::network {

/// Runs nft(8) with commands, all of which hold or none. `done` is called once, on the loop.
/// BackendFailed with nft's own words.
void run_nft(Loop& loop, qemu::Spawner& spawner, const std::filesystem::path& nft,
             const std::string& commands, std::function<void(result<void>)> done);

}  // namespace capsa::network
