# Language level, warnings, hardening, sanitizers. One reason a line.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON) # cleanup attribute, statement expressions, __VA_OPT__
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug CACHE STRING "" FORCE)
endif()

set(PGA_SANITIZE "" CACHE STRING "comma list for -fsanitize=, for example address,undefined")
option(PGA_WERROR "warnings are errors (developers and CI, not packagers)" OFF)
option(PGA_COVERAGE "build for gcov" OFF)
option(PGA_FUZZ "build the libFuzzer targets (clang only)" OFF)

add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra
  -Wshadow                # a hidden variable is a misread one
  -Wconversion            # lengths and database numbers must not be cut silently
  -Wno-sign-conversion    # would bury the above in noise
  -Wformat=2              # format strings are literals
  -Wcast-qual -Wwrite-strings # const stays const
  -Wstrict-prototypes -Wmissing-prototypes
  -Wpointer-arith -Wvla -Wundef
  -Wimplicit-fallthrough
  "-fmacro-prefix-map=${CMAKE_SOURCE_DIR}/=" # __FILE__ is a path in the tree, not on the builder's disk
  -Werror=implicit-function-declaration -Werror=int-conversion # never only a warning
  -fno-common -fno-omit-frame-pointer)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wduplicated-cond -Wduplicated-branches -Wlogical-op)
else()
  add_compile_options(-Wno-gnu-zero-variadic-macro-arguments)
endif()
if(PGA_WERROR)
  add_compile_options(-Werror)
endif()

if(CMAKE_BUILD_TYPE MATCHES "Rel")
  # The collector runs on customers' database hosts.
  add_compile_options(-O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection)
  add_link_options(-Wl,-z,relro,-z,now -pie)
  # Small functions of other files are called for each value: 4 % fewer instructions in a collection.
  include(CheckIPOSupported)
  check_ipo_supported(RESULT CMAKE_INTERPROCEDURAL_OPTIMIZATION LANGUAGES C)
endif()
if(PGA_SANITIZE)
  add_compile_options(-fsanitize=${PGA_SANITIZE} -fno-sanitize-recover=all -O1 -g)
  add_link_options(-fsanitize=${PGA_SANITIZE})
endif()
if(PGA_COVERAGE)
  # Counters of threads are added up, or they go wrong and even negative.
  add_compile_options(--coverage -fprofile-update=atomic -O0 -g)
  add_link_options(--coverage)
endif()

include_directories("${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/generated")
