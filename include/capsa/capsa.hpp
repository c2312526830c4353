#pragma once

/// \file
/// The whole library, without CAF: see actors.hpp for the actors behind the handles.

/// \namespace capsa
/// Virtual machines as handles. Where to begin: Capsa or a Runtime, then VmBuilder or
/// SandboxBuilder, then VmHandle. What waits gives a future, what does not a result, and both end
/// in a value or an error.

#include <capsa/agent.hpp>
#include <capsa/cluster.hpp>
#include <capsa/config.hpp>
#include <capsa/console.hpp>
#include <capsa/disk.hpp>
#include <capsa/error.hpp>
#include <capsa/future.hpp>
#include <capsa/guest.hpp>
#include <capsa/image.hpp>
#include <capsa/network.hpp>
#include <capsa/network_policy.hpp>
#include <capsa/pool.hpp>
#include <capsa/result.hpp>
#include <capsa/runtime.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/status.hpp>
#include <capsa/vm.hpp>
#include <capsa/vm_network.hpp>
#include <capsa/vsock.hpp>
