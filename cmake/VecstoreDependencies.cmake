# The core's dependencies: LMDB, CRoaring, utf8proc, libstemmer, simdjson and zstd. Third-party headers appear only in
# the folders that tools/check_layers.py names.
find_package(Threads REQUIRED)

function(vecstore_library name header library)
  find_path(${name}_INCLUDE ${header} REQUIRED)
  find_library(${name}_LIBRARY ${library} REQUIRED)
  add_library(${name} INTERFACE)
  target_include_directories(${name} SYSTEM INTERFACE $<BUILD_INTERFACE:${${name}_INCLUDE}>)
  target_link_libraries(${name} INTERFACE ${${name}_LIBRARY})
endfunction()

vecstore_library(vecstore_roaring roaring/roaring.h roaring)
vecstore_library(vecstore_utf8proc utf8proc.h utf8proc)
vecstore_library(vecstore_stemmer libstemmer.h stemmer)
vecstore_library(vecstore_simdjson simdjson.h simdjson)
vecstore_library(vecstore_zstd zstd.h zstd)
set(VECSTORE_DEPENDENCIES vecstore_roaring vecstore_utf8proc vecstore_stemmer vecstore_simdjson vecstore_zstd Threads::Threads)

# What an installed static library asks its consumers to link, by plain name; see vecstoreConfig.cmake.in.
set(VECSTORE_SYSTEM_LIBRARIES roaring utf8proc stemmer simdjson zstd)

if(VECSTORE_LMDB STREQUAL system)
  vecstore_library(vecstore_lmdb lmdb.h lmdb)
  list(APPEND VECSTORE_SYSTEM_LIBRARIES lmdb)
else()
  set(VECSTORE_LMDB_DIR ${CMAKE_SOURCE_DIR}/build/deps/lmdb CACHE PATH "Sources of LMDB, as tools/setup.sh unpacks them")
  if(NOT EXISTS ${VECSTORE_LMDB_DIR}/mdb.c)
    message(FATAL_ERROR "LMDB sources not found in ${VECSTORE_LMDB_DIR}: run tools/setup.sh, or configure with -DVECSTORE_LMDB=system")
  endif()
  # The objects become part of libvecstore, so that who links it needs no LMDB.
  add_library(vecstore_lmdb_objects OBJECT ${VECSTORE_LMDB_DIR}/mdb.c ${VECSTORE_LMDB_DIR}/midl.c)
  target_compile_options(vecstore_lmdb_objects PRIVATE -w)
  if(VECSTORE_SANITIZE MATCHES thread)
    # LMDB's lock-free reader table is a benign race by design; its own code is not instrumented for threads.
  elseif(VECSTORE_SANITIZE MATCHES address)
    # LMDB relies on unaligned access within pages: AddressSanitizer sees it, UndefinedBehaviorSanitizer does not.
    target_compile_options(vecstore_lmdb_objects PRIVATE -fsanitize=address)
  endif()
  add_library(vecstore_lmdb INTERFACE)
  target_include_directories(vecstore_lmdb SYSTEM INTERFACE $<BUILD_INTERFACE:${VECSTORE_LMDB_DIR}>)
endif()
