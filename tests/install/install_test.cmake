# cmake -P install_test.cmake, with BUILD_DIR, WORK_DIR, LIBDIR, CXX, CXX_FLAGS, WITH_MODELS, SOURCE_DIR: installs the
# build into a fresh prefix, moves it, and builds and runs consumer/ against it by find_package and by pkg-config.
cmake_minimum_required(VERSION 3.25)

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${result}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(configure_must_fail directory components expected)
  execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE_DIR}/consumer -B ${WORK_DIR}/${directory} ${consumer_options}
                          "-DCOMPONENTS=${components}"
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  # CMake breaks messages into lines.
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  string(FIND "${output}" "${expected}" place)
  if(result EQUAL 0 OR place EQUAL -1)
    message(FATAL_ERROR "find_package(COMPONENTS ${components}) should have failed with '${expected}':\n${output}")
  endif()
endfunction()

function(check_program)
  run(${ARGN})
  if(NOT output MATCHES "^invalid_argument: .*closeness")
    message(FATAL_ERROR "the program printed:\n${output}")
  endif()
endfunction()

file(REMOVE_RECURSE ${WORK_DIR})
run(${CMAKE_COMMAND} --install ${BUILD_DIR} --prefix ${WORK_DIR}/staged)
set(prefix "${WORK_DIR}/moved here")
file(RENAME ${WORK_DIR}/staged ${prefix})
file(GLOB_RECURSE models ${prefix}/*.safetensors)
if(models)
  message(FATAL_ERROR "models were installed: ${models}")
endif()

set(consumer_options "-DCMAKE_PREFIX_PATH=${prefix}" -DCMAKE_CXX_COMPILER=${CXX} "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
set(components core)
if(WITH_MODELS)
  set(components core models)
else()
  configure_must_fail(no-models "core;models" "built without the component 'models'")
endif()
configure_must_fail(unknown "core;teleport" "has no component 'teleport'")

run(${CMAKE_COMMAND} -S ${SOURCE_DIR}/consumer -B ${WORK_DIR}/cmake ${consumer_options} "-DCOMPONENTS=${components}")
run(${CMAKE_COMMAND} --build ${WORK_DIR}/cmake)
check_program(${WORK_DIR}/cmake/consumer)

find_program(pkg_config pkg-config REQUIRED)
set(ENV{PKG_CONFIG_PATH} "${prefix}/${LIBDIR}/pkgconfig")
run(${pkg_config} --cflags --libs vecstore)
separate_arguments(flags UNIX_COMMAND "${output}")
separate_arguments(cxx_flags UNIX_COMMAND "${CXX_FLAGS}")
run(${CXX} -std=c++20 ${cxx_flags} ${SOURCE_DIR}/consumer/consumer.cpp -o ${WORK_DIR}/by-pkg-config ${flags})
set(ENV{LD_LIBRARY_PATH} "${prefix}/${LIBDIR}")
check_program(${WORK_DIR}/by-pkg-config)
