// SPDX-License-Identifier: Apache-2.0
package io.taskstore.file;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Processes are killed at every step of every operation, in the middle of writes, and at random
 * moments: what they had acknowledged is there, what they had not is there whole or not at all, and
 * nobody else notices. The result is in {@code target/crash-report.md}.
 *
 * <p>A killed process takes nothing from the system's cache: that the right things were flushed is
 * shown elsewhere.
 */
final class CrashTest {
  private static final Path REPORT = Path.of("target", "crash-report.md");
  private static final int RANDOM_KILLS = 36;
  private static final int DEFAULT_KILLS = 2_000;

  @Test
  void kill_atEveryChangeAndAtRandom_losesNothing() throws IOException, InterruptedException {
    try (CrashCampaign campaign = new CrashCampaign(1)) {
      campaign.killAt(campaign.everyChange());
      campaign.killAtRandom(RANDOM_KILLS);
      assertGood(campaign, 200);
    }
  }

  /**
   * How many by {@code -Dtaskstore.file.kills}, from which seed by {@code -Dtaskstore.file.seed}.
   */
  @Test
  @Tag("campaign")
  void kill_thousands_losesNothing() throws IOException, InterruptedException {
    int kills = Integer.getInteger("taskstore.file.kills", DEFAULT_KILLS);
    long seed = Long.getLong("taskstore.file.seed", System.nanoTime() % 1_000_000);
    try (CrashCampaign campaign = new CrashCampaign(seed)) {
      List<CrashCampaign.Planned> points = campaign.everyPoint();
      campaign.killAt(points.subList(0, Math.min(kills, points.size())));
      campaign.killAtRandom(Math.max(0, kills - points.size()));
      assertGood(campaign, kills);
    }
  }

  private static void assertGood(CrashCampaign campaign, int kills) throws IOException {
    CrashReport report = campaign.report();
    report.write(REPORT);
    System.out.println(report.summary());
    assertThat(report.failures()).isEmpty();
    assertThat(report.kills()).isGreaterThanOrEqualTo(kills);
  }
}
