#pragma once

#include <CLI/CLI.hpp>
#include <capsa/capsa.hpp>
#include <tools/cmake/pch.hpp>
