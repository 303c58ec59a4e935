# Installs headers, the library, a CMake package with components and a pkg-config file. A component that was not built is
# reported by find_package, not by the linker. Test models and tools are not installed.
include(CMakePackageConfigHelpers)

set(VECSTORE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vecstore)

set_target_properties(vecstore PROPERTIES
  EXPORT_NAME core
  VERSION ${PROJECT_VERSION}
  # Before 1.0 every minor version may change the binary interface.
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  # The same objects serve a static and a shared library: no macro differs.
  DEFINE_SYMBOL "")
if(BUILD_SHARED_LIBS)
  # A program that loads another LMDB must not get its functions into the library.
  target_link_options(vecstore PRIVATE -Wl,-Bsymbolic-functions)
else()
  foreach(library ${VECSTORE_SYSTEM_LIBRARIES} Threads::Threads)
    target_link_libraries(vecstore PRIVATE $<INSTALL_INTERFACE:${library}>)
  endforeach()
endif()

install(TARGETS vecstore EXPORT vecstoreTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/vecstore DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp" PATTERN "*.h")
install(EXPORT vecstoreTargets NAMESPACE vecstore:: DESTINATION ${VECSTORE_CMAKE_DIR})
install(FILES ${CMAKE_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

if(BUILD_SHARED_LIBS)
  set(VECSTORE_NEEDED "")
  set(VECSTORE_PC_LIBS "")
else()
  set(VECSTORE_NEEDED ${VECSTORE_SYSTEM_LIBRARIES})
  # A static library has no use without these: they stand in Libs, so that no consumer has to know about --static.
  list(TRANSFORM VECSTORE_SYSTEM_LIBRARIES PREPEND -l OUTPUT_VARIABLE flags)
  list(JOIN flags " " VECSTORE_PC_LIBS)
  string(PREPEND VECSTORE_PC_LIBS " ")
  string(APPEND VECSTORE_PC_LIBS " -pthread")
endif()

configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/vecstoreConfig.cmake.in ${CMAKE_BINARY_DIR}/vecstoreConfig.cmake
                              INSTALL_DESTINATION ${VECSTORE_CMAKE_DIR} NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/vecstoreConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/vecstoreConfig.cmake ${CMAKE_BINARY_DIR}/vecstoreConfigVersion.cmake
        DESTINATION ${VECSTORE_CMAKE_DIR})

# The prefix is written relative to the file, so that the tree can be moved.
file(RELATIVE_PATH VECSTORE_PC_PREFIX /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_SOURCE_DIR}/cmake/vecstore.pc.in ${CMAKE_BINARY_DIR}/vecstore.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/vecstore.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
