# Libraries from the system, found by pkg-config; scripts/setup.sh installs them.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(_dep
    libpq libcurl openssl libmicrohttpd gnutls libsodium libzstd libdeflate yyjson cjose cmocka)
  pkg_check_modules(${_dep} REQUIRED IMPORTED_TARGET ${_dep})
endforeach()
