# How targets are made, so that each folder's CMakeLists.txt is a list of its parts.

# pga_library(base SOURCES a.c b.c DEPENDS pga_x PkgConfig::y): static library pga_base.
function(pga_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(pga_${name} STATIC ${A_SOURCES})
  target_link_libraries(pga_${name} PUBLIC ${A_DEPENDS})
endfunction()

# pga_unit_test(lib/base/test_buf.c LINK pga_base [NEEDS pga_x]): tests/unit/lib/base/test_buf.c mirrors lib/base/buf.c.
# The test runs in the source root, with sanitizers when the preset has them.
function(pga_unit_test source)
  cmake_parse_arguments(A "" "" "LINK;SOURCES" ${ARGN})
  string(REGEX REPLACE "\\.c$" "" _id "${source}")
  string(REPLACE "/" "." _name "unit.${_id}")
  string(REPLACE "/" "_" _target "${_id}")
  add_executable(${_target} ${CMAKE_SOURCE_DIR}/tests/unit/${source} ${A_SOURCES})
  target_link_libraries(${_target} PRIVATE ${A_LINK} PkgConfig::cmocka)
  # Tests may include the .c under test and reach its statics.
  target_compile_options(${_target} PRIVATE -Wno-missing-prototypes -Wno-unused-function)
  add_test(NAME ${_name} COMMAND ${_target} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${_name} PROPERTIES LABELS unit TIMEOUT 600
    ENVIRONMENT "ASAN_OPTIONS=detect_leaks=1;UBSAN_OPTIONS=print_stacktrace=1;PGA_SOURCE_DIR=${CMAKE_SOURCE_DIR}")
endfunction()

# pga_fuzz_target(toml LINK pga_conf): fuzz/toml.c with corpus fuzz/corpus/toml/. With PGA_FUZZ it is a libFuzzer
# program; always it is an ordinary test that replays the corpus.
function(pga_fuzz_target name)
  cmake_parse_arguments(A "" "" "LINK" ${ARGN})
  if(PGA_FUZZ)
    if(NOT TARGET fuzzers)
      add_custom_target(fuzzers)
    endif()
    add_dependencies(fuzzers fuzz_${name})
    add_executable(fuzz_${name} ${CMAKE_SOURCE_DIR}/fuzz/${name}.c)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    target_link_libraries(fuzz_${name} PRIVATE ${A_LINK})
  endif()
  add_executable(replay_${name} ${CMAKE_SOURCE_DIR}/fuzz/${name}.c ${CMAKE_SOURCE_DIR}/fuzz/replay_main.c)
  target_link_libraries(replay_${name} PRIVATE ${A_LINK})
  target_compile_options(replay_${name} PRIVATE -Wno-missing-prototypes)
  add_test(NAME fuzz.${name} COMMAND replay_${name} ${CMAKE_SOURCE_DIR}/fuzz/corpus/${name})
  set_tests_properties(fuzz.${name} PROPERTIES LABELS fuzz-regression TIMEOUT 600)
endfunction()

# pga_embed(OUTPUT x.c SYMBOL x FILES a.sql b.sql): a C table {name, text, length} of files, made at build time.
function(pga_embed)
  cmake_parse_arguments(A "" "OUTPUT;SYMBOL" "FILES" ${ARGN})
  add_custom_command(OUTPUT ${A_OUTPUT}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}
    COMMAND sh ${CMAKE_SOURCE_DIR}/tools/embed.sh ${A_SYMBOL} ${A_OUTPUT} ${A_FILES}
    DEPENDS ${A_FILES} ${CMAKE_SOURCE_DIR}/tools/embed.sh VERBATIM)
endfunction()
