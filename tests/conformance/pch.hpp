#pragma once

#include <capsa/capsa.hpp>
#include <tests/support/pch.hpp>
