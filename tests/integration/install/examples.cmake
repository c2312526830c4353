# cmake -D EXAMPLES=… -D PREFIX=… -D WORK=… -D MAKE_IMAGE=… -D COMPILER=… -D GENERATOR=… [-D SANITIZE=…] -P examples.cmake
#
# Every example is a program of a project outside of this tree, with the capsa that was installed,
# and prints what it says it does.

execute_process(COMMAND ${PREFIX}/bin/capsa guest path RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
if(NOT status EQUAL 0)
  message("skipped: no guest is prepared: capsa guest prepare")
  return()
endif()

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " line)
    message(FATAL_ERROR "${line}: ${status}")
  endif()
endfunction()

set(flags)
if(SANITIZE)
  # A header of CAF 0.17 binds a null reference on purpose.
  list(APPEND flags "-DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE} -fno-sanitize=null")
endif()
file(REMOVE_RECURSE ${WORK})
run(${CMAKE_COMMAND} -S ${EXAMPLES} -B ${WORK} -G ${GENERATOR}
  -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${PREFIX} ${flags})
run(${CMAKE_COMMAND} --build ${WORK})

# example(NAME EXPECTED... [WITH ARGUMENTS...]): its output matches all of these.
function(example name)
  cmake_parse_arguments(ARG "" "" "WITH" ${ARGN})
  execute_process(COMMAND ${WORK}/example_${name} ${ARG_WITH}
    RESULT_VARIABLE status OUTPUT_VARIABLE said ERROR_VARIABLE errors TIMEOUT 120)
  message("-- ${name}: ${status}\n${said}${errors}")
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "example_${name} ended with ${status}")
  endif()
  foreach(expected IN LISTS ARG_UNPARSED_ARGUMENTS)
    if(NOT said MATCHES "${expected}")
      message(FATAL_ERROR "example_${name} did not print: ${expected}")
    endif()
  endforeach()
endfunction()

example(hello "[0-9]+\\.[0-9]+\\.[0-9]+")
example(console "exec: Linux\n" "status: 3" "\nstill here\n")
example(login "guess: login_failed" "secret: ann")
example(vsock_echo "HELLO FROM THE HOST")
example(share "words: 3" "ended with 9" "it is still there")
example(policy "nc ended with 1" "denied: .*198\\.51\\.100\\.7:25")
example(cluster "one has 10\\.0\\.3\\." "two: 1, three: 1" "pulled, three: 0" "plugged in: 1")
example(pool "job 1 by worker-[0-9]+: done" "job 4 by worker-[0-9]+: done")
example(agent_files "run.sh ended with 0" "  out\n" "the year in the guest: 20")

find_program(SKOPEO skopeo)
if(NOT SKOPEO)
  message("-- image: not run, as there is no skopeo")
  return()
endif()
run(${MAKE_IMAGE} ${WORK}/image)
example(image "by default 42" WITH oci:${WORK}/image)
example(image "chosen" WITH oci:${WORK}/image /bin/sh -c "echo cho''sen")
execute_process(COMMAND ${PREFIX}/bin/capsa image remove oci:${WORK}/image OUTPUT_QUIET)
