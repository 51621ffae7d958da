// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import java.util.EnumSet;
import java.util.Set;

/** The hooks that a {@link BackendStorage} may offer. */
enum Hook {
  REOPENING("reopening"),
  OTHER_PROCESS("another process"),
  VERSION_SEEDING("version seeding"),
  FAULT_INJECTION("fault injection"),
  DAMAGE("damage"),
  RAW_INSPECTION("raw inspection"),
  READ_COUNTER("a read counter"),
  TIME_CONTROL("time control"),
  INTERLEAVING("interleaving");

  private final String title;

  Hook(String title) {
    this.title = title;
  }

  /** As reports and documents name it. */
  String title() {
    return title;
  }

  static Set<Hook> offeredBy(BackendStorage storage) {
    Set<Hook> offered = EnumSet.noneOf(Hook.class);
    add(offered, REOPENING, storage.reopens());
    add(offered, OTHER_PROCESS, storage.otherProcess().isPresent());
    add(offered, VERSION_SEEDING, storage.versionSeeding().isPresent());
    add(offered, FAULT_INJECTION, storage.faultInjection().isPresent());
    add(offered, DAMAGE, storage.damage().isPresent());
    add(offered, RAW_INSPECTION, storage.rawInspection().isPresent());
    add(offered, READ_COUNTER, storage.readCounter().isPresent());
    add(offered, TIME_CONTROL, storage.timeControl().isPresent());
    add(offered, INTERLEAVING, storage.interleaving().isPresent());
    return offered;
  }

  private static void add(Set<Hook> offered, Hook hook, boolean isOffered) {
    if (isOffered) {
      offered.add(hook);
    }
  }
}
