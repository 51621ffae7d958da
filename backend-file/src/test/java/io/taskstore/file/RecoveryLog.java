// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import java.text.MessageFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

/** Keeps the warnings of the backend while it is open. */
final class RecoveryLog extends Handler {
  private final Logger logger = Logger.getLogger(FileStorageBackend.class.getName());
  private final List<String> warnings = new CopyOnWriteArrayList<>();

  RecoveryLog() {
    logger.addHandler(this);
  }

  /** What was warned of since, or since the last {@link #clear}. */
  List<String> warnings() {
    return warnings;
  }

  void clear() {
    warnings.clear();
  }

  @Override
  public void publish(LogRecord logged) {
    if (logged.getLevel().intValue() >= Level.WARNING.intValue()) {
      Object[] parameters = logged.getParameters();
      warnings.add(
          parameters == null
              ? logged.getMessage()
              : MessageFormat.format(logged.getMessage(), parameters));
    }
  }

  @Override
  public void flush() {}

  @Override
  public void close() {
    logger.removeHandler(this);
  }
}
