# What `cmake --install` gives: headers, one static library per floor, the programs that the library
# starts, the command, and a CMake package. Included once every target exists.

include(CMakePackageConfigHelpers)
find_package(CAF 0.17.6...<0.18 REQUIRED COMPONENTS core)

# The public headers need it, wherever they are used.
target_compile_features(capsa_base INTERFACE cxx_std_20)

set(_capsa_floors
  capsa_base capsa_metrics capsa_values capsa_hypervisor capsa_memory capsa_block capsa_virtio
  capsa_public_values capsa_net_core capsa_net_packet capsa_net_gso capsa_net_switch capsa_net_capture
  capsa_net_dns capsa_net_dhcp capsa_net_neighbor capsa_net_policy capsa_net_nat capsa_net_tap capsa_net_host_nat
  capsa_virtio_net capsa_program capsa_image
  capsa_virtio_balloon capsa_virtio_block capsa_virtio_console capsa_virtio_rng capsa_mmio
  capsa_vsock capsa_fs capsa_vhost_user capsa_kvm_boot capsa_kvm_tables capsa_kvm
  capsa_runtime_dir capsa_firmware capsa_qemu capsa_agent_proto capsa_agent capsa_guest_assets capsa_console_core
  capsa_pool_core capsa_actors capsa_facade)

# For programs that use <capsa/actors.hpp>: the library with CAF on the outside.
add_library(capsa_with_actors INTERFACE)
target_link_libraries(capsa_with_actors INTERFACE capsa_facade CAF::core)
set_target_properties(capsa_with_actors PROPERTIES EXPORT_NAME actors)
set_target_properties(capsa_facade PROPERTIES EXPORT_NAME capsa)

# The same names within a larger build.
if(NOT TARGET capsa::capsa)
  add_library(capsa::capsa ALIAS capsa_facade)
endif()
add_library(capsa::actors ALIAS capsa_with_actors)

install(TARGETS ${_capsa_floors} capsa_with_actors EXPORT capsaTargets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/capsa)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/capsa DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  FILES_MATCHING PATTERN "*.hpp")

set(_capsa_package ${CMAKE_INSTALL_LIBDIR}/cmake/capsa)
install(EXPORT capsaTargets NAMESPACE capsa:: DESTINATION ${_capsa_package})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/capsaConfig.cmake.in
  ${PROJECT_BINARY_DIR}/capsaConfig.cmake INSTALL_DESTINATION ${_capsa_package})
# Before 1.0 a new minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/capsaConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/capsaConfig.cmake
  ${PROJECT_BINARY_DIR}/capsaConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/FindCAF.cmake
  DESTINATION ${_capsa_package})
