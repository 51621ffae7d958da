// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.contract.BackendStorage.OtherProcess;
import io.taskstore.spi.Conflict;
import io.taskstore.spi.Created;
import io.taskstore.spi.Full;
import io.taskstore.spi.RecordKey;
import io.taskstore.spi.RecordValue;
import io.taskstore.spi.StorageBackend;
import io.taskstore.spi.VersionedRecord;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(120)
final class ChildProcessTest {
  private static final RecordKey KEY = new RecordKey("partition é\n", "id 😀\u0000");

  @TempDir Path folder;

  private OtherProcess how() {
    return new OtherProcess(FolderBackend.Opener.class, folder.toString());
  }

  @Test
  void everyCommand_isAnsweredAsTheBackendDoes() throws Exception {
    try (ChildProcess child = ChildProcess.open(how());
        FolderBackend here = new FolderBackend(folder)) {
      assertThat(child.get(KEY)).isEmpty();
      RecordValue value =
          Samples.value(Samples.randomBytes(70_000, 1), true, Instant.ofEpochMilli(-1));
      assertThat(child.putIfVersion(KEY, value, 0)).isEqualTo(ChildProcess.Outcome.written(1));
      VersionedRecord stored = new VersionedRecord(KEY, value, 1);
      assertThat(child.get(KEY)).contains(stored);
      assertThat(here.get(KEY)).contains(stored);
      assertThat(child.putIfVersion(KEY, value, 2))
          .isEqualTo(ChildProcess.Outcome.of(new Conflict(stored)));
      RecordKey empty = new RecordKey(KEY.partition(), "empty");
      assertThat(child.createWithin(empty, Samples.value(""), 1, Samples.now()).result())
          .as("a create within a limit of 1, beside an expired one")
          .isEqualTo(Created.CREATED.toString());
      assertThat(
              child
                  .createWithin(
                      new RecordKey(KEY.partition(), "x"), Samples.value(""), 1, Samples.now())
                  .result())
          .isEqualTo(Full.FULL.toString());
      assertThat(child.listIds(KEY.partition()))
          .containsExactly(List.of("empty", KEY.id()), List.of("empty", KEY.id()));
      assertThat(child.purgeExpired(Samples.now(), 10)).isEqualTo(1);
      assertThat(child.deleteIfVersion(KEY, 1)).isEqualTo(ChildProcess.Outcome.of(Conflict.ABSENT));
      assertThat(child.deleteIfVersion(empty, 1)).isEqualTo(ChildProcess.Outcome.deleted());
      assertThat(FolderBackend.entries(folder)).isEmpty();
    }
  }

  @Test
  void work_isTheSameThereAsHere() throws Exception {
    try (ChildProcess child = ChildProcess.open(how());
        FolderBackend here = new FolderBackend(folder)) {
      child.beginIncrement(KEY, 20);
      child.done();
      Workload.increment(here, KEY, 5);
      assertThat(Workload.number(here.get(KEY).orElseThrow())).isEqualTo(25);

      Samples.insert(here, new RecordKey("contest", "1"), Workload.newValue(true));
      child.beginContest(new RecordKey("contest", "1"), 3);
      assertThat(child.doneTexts()).containsExactly("2", "3", "4");

      child.beginCreateWithin("many", 4, 3, Samples.now());
      List<String> created = child.doneTexts();
      assertThat(created.size()).isLessThanOrEqualTo(3);
      assertThat(Samples.ids(Samples.listAll(here, "many", false, 10)))
          .containsExactlyInAnyOrderElementsOf(created);
    }
  }

  @Test
  void killedProcess_saysToTheEndWhatItHasDone() throws Exception {
    try (ChildProcess child = ChildProcess.open(how())) {
      child.beginWriting(KEY);
      for (int i = 0; i < 10; i++) {
        assertThat(child.next().name()).isEqualTo(i % 2 == 0 ? "sending" : "acknowledged");
      }
      try (FolderBackend here = new FolderBackend(folder)) {
        // Nobody listens meanwhile.
        while (here.get(KEY).orElseThrow().version() < 200) {
          Thread.onSpinWait();
        }
      }
      List<String> last = child.kill().stream().map(ChildMessage::name).toList();
      assertThat(child.isAlive()).isFalse();
      try (FolderBackend here = new FolderBackend(folder)) {
        int version = Math.toIntExact(here.get(KEY).orElseThrow().version());
        assertThat(5 + Collections.frequency(last, "sending")).isBetween(version, version + 1);
        assertThat(5 + Collections.frequency(last, "acknowledged")).isBetween(version - 1, version);
      }
      assertThatThrownBy(child::next)
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("ended before an answer");
    }
  }

  @Test
  void closedProcess_endsDuringEndlessWork() throws Exception {
    ChildProcess child = ChildProcess.open(how());
    child.beginWriting(KEY);
    child.next();
    child.close();
    assertThat(child.isAlive()).isFalse();
    child.close();
  }

  @Test
  void failureOfACommand_isShownWithItsTrace() throws Exception {
    try (ChildProcess child = ChildProcess.open(how())) {
      child.closeBackend();
      assertThatThrownBy(() -> child.get(KEY))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("failed at get")
          .hasMessageContaining("BackendClosedException")
          .hasMessageContaining("FolderBackend.java");
    }
  }

  @Test
  void openerThatFails_isShownWithWhatItPrinted() {
    assertThatThrownBy(
            () -> ChildProcess.open(new OtherProcess(FailingOpener.class, "nowhere at all")))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("exit code 1")
        .hasMessageContaining("a word on the output")
        .hasMessageContaining("cannot open nowhere at all");
  }

  @Test
  void openerThatHangs_isGivenUpAndKilled() {
    assertThatThrownBy(
            () ->
                ChildProcess.open(
                    new OtherProcess(HangingOpener.class, ""), Duration.ofMillis(1_500)))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("did not get to opening the storage within PT1.5S");
    assertThat(
            ProcessHandle.current()
                .children()
                .filter(child -> child.info().commandLine().orElse("").contains("HangingOpener")))
        .isEmpty();
  }

  /** Needs to be made by reflection, like those of other modules. */
  private static final class FailingOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) throws Exception {
      System.out.println("a word on the output");
      throw new IllegalStateException("cannot open " + location);
    }
  }

  private static final class HangingOpener implements BackendStorage.Opener {
    @Override
    public StorageBackend open(String location) throws Exception {
      new CountDownLatch(1).await();
      throw new IllegalStateException();
    }
  }
}
