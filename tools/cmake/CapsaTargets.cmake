# How every target of this project is compiled.

add_library(capsa_options INTERFACE)
target_compile_options(capsa_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wno-missing-field-initializers)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 finds uses of "maybe uninitialized" inside std::variant and std::function that are none,
  # and overlaps and overruns in "text" + std::string (GCC bug 105651).
  target_compile_options(capsa_options INTERFACE
    -Wno-maybe-uninitialized -Wno-array-bounds -Wno-restrict)
endif()
if(CAPSA_SANITIZE)
  target_compile_options(capsa_options INTERFACE -fsanitize=${CAPSA_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(capsa_options INTERFACE -fsanitize=${CAPSA_SANITIZE})
  if(CAPSA_SANITIZE MATCHES "undefined")
    # A header of CAF 0.17 binds a null reference on purpose.
    target_compile_options(capsa_options INTERFACE -fno-sanitize=null -fno-sanitize-recover=undefined)
  endif()
endif()

# The standard headers that nearly every file includes: half of what g++ 12 does for one. clang wants
# the very same flags for every user of such a file, and does without.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_library(capsa_pch OBJECT ${CMAKE_CURRENT_LIST_DIR}/pch.cpp)
  target_link_libraries(capsa_pch PRIVATE capsa_options)
  target_precompile_headers(capsa_pch PRIVATE ${CMAKE_CURRENT_LIST_DIR}/pch.hpp)
endif()

# capsa_floor(NAME SOURCES... [LINKS PUBLIC_LIBS...] [PRIVATE_LINKS LIBS...] [OWN_PCH]): one static
# library.
function(capsa_floor name)
  cmake_parse_arguments(ARG "OWN_PCH" "" "SOURCES;LINKS;PRIVATE_LINKS" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/generated>)
  target_link_libraries(${name} PUBLIC ${ARG_LINKS} PRIVATE ${ARG_PRIVATE_LINKS}
    $<BUILD_INTERFACE:capsa_options>)
  if(TARGET capsa_pch AND NOT ARG_OWN_PCH)
    target_precompile_headers(${name} REUSE_FROM capsa_pch)
  endif()
endfunction()

# capsa_test(NAME SOURCES... LINKS LIBS... [LABELS ...] [TIMEOUT SECONDS] [PCH TARGET]): one
# Boost.Test program, one ctest entry.
function(capsa_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT;PCH" "SOURCES;LINKS;LABELS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} $<TARGET_OBJECTS:capsa_test_main>)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINKS} capsa_test_options)
  if(NOT ARG_PCH)
    set(ARG_PCH capsa_test_pch)
  endif()
  if(TARGET ${ARG_PCH})
    target_precompile_headers(${name} REUSE_FROM ${ARG_PCH})
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  if(CAPSA_SANITIZE)
    math(EXPR ARG_TIMEOUT "${ARG_TIMEOUT} * 3")
  endif()
  add_test(NAME ${name} COMMAND ${name} --log_level=test_suite)
  # 77 is how a program of ours says that it could not run here; ctest then reports "Skipped".
  set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}" TIMEOUT ${ARG_TIMEOUT}
    SKIP_RETURN_CODE 77)
endfunction()
