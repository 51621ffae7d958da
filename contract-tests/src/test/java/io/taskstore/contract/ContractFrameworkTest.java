// SPDX-License-Identifier: Apache-2.0
package io.taskstore.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.testkit.engine.EngineExecutionResults;
import org.junit.platform.testkit.engine.EngineTestKit;
import org.junit.platform.testkit.engine.Event;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The framework around the statements: what counts as what, and what may not be skipped. */
final class ContractFrameworkTest {
  @TempDir private Path reports;

  /** A contract that is over quickly. */
  abstract static class SmallContract extends ContractBase {
    private final int minimum;

    SmallContract(int minimum) {
      this.minimum = minimum;
    }

    @Override
    protected BackendHarness newHarness() {
      return new LocalHarness(SeededBug.NONE);
    }

    @Override
    final Class<?> contract() {
      return getClass();
    }

    @Override
    final int minimumOfStatements() {
      return minimum;
    }
  }

  static final class GoodContract extends SmallContract {
    GoodContract() {
      super(2);
    }

    @Test
    void a1_something_passes() {}

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void a2_a3_something_passesInPart(int number) {
      if (number == 2) {
        throw ExcludedException.byTraits("is not durable");
      }
    }

    @Test
    void h2_something_needsAHook() {
      String unused = require(Hook.OTHER_PROCESS, Optional.empty());
    }

    @Test
    @Tag(ContractBase.STRESS)
    void a4_something_takesLong() {}
  }

  static final class FailingContract extends SmallContract {
    FailingContract() {
      super(1);
    }

    @Test
    void a1_something_fails() {
      fail("first line\nsecond line");
    }
  }

  static final class SkippingContract extends SmallContract {
    SkippingContract() {
      super(1);
    }

    @Test
    void a1_something_isAssumed() {
      assumeTrue(false, "not today");
    }

    @Test
    @Disabled("too slow")
    void a2_something_isDisabled() {}
  }

  static final class EmptyContract extends SmallContract {
    EmptyContract() {
      super(2);
    }

    @Test
    void h2_something_needsAHook() {
      String unused = require(Hook.REOPENING, Optional.empty());
    }
  }

  static final class KnownContract extends SmallContract {
    KnownContract() {
      super(2);
    }

    @Test
    void a1_something_passes() {}

    @Test
    void a2_something_fails() {
      fail("lost");
    }
  }

  static final class StaleContract extends SmallContract {
    StaleContract() {
      super(1);
    }

    @Test
    void a1_something_passes() {}

    @Test
    void a3_something_isExcluded() {
      String unused = require(Hook.DAMAGE, Optional.empty());
    }
  }

  @Test
  void run_allPassOrAreExcludedForAReason_isReported() throws IOException {
    assertThat(failures(GoodContract.class)).isEmpty();

    JsonNode report = report(GoodContract.class);
    assertThat(report.get("complete").booleanValue()).isTrue();
    assertThat(status(report, "A1")).isEqualTo("passed");
    assertThat(status(report, "A2")).isEqualTo("passed");
    assertThat(statement(report, "A3").get("reasons").get(0).stringValue())
        .isEqualTo("the backend's traits say that it is not durable");
    assertThat(statement(report, "A3").get("tests").intValue()).isEqualTo(2);
    assertThat(status(report, "H2")).isEqualTo("excluded");
    assertThat(statement(report, "H2").get("reasons").get(0).stringValue())
        .isEqualTo("the harness does not offer another process");
    assertThat(status(report, "B8")).isEqualTo("excluded");
    assertThat(report.get("counts").get("tests").get("passed").intValue()).isEqualTo(4);
    assertThat(report.get("versions").get("contract").stringValue()).matches("\\d.*");
    assertThat(report.get("traits").get("largest data in bytes").intValue())
        .isEqualTo(LocalBackend.MAX_DATA_BYTES);
    assertThat(Files.readString(file(GoodContract.class, "md")))
        .startsWith("# GoodContract of local: ")
        .contains("| H2 | ", "the harness does not offer another process");
  }

  @Test
  void run_failedStatement_isReportedWithTheFirstLine() throws IOException {
    assertThat(failures(FailingContract.class)).hasSize(1);

    JsonNode report = report(FailingContract.class);
    assertThat(status(report, "A1")).isEqualTo("failed");
    assertThat(statement(report, "A1").get("reasons").get(0).stringValue()).isEqualTo("first line");
  }

  @Test
  void run_testSkippedInAnotherWay_fails() throws IOException {
    assertThat(failures(SkippingContract.class))
        .anySatisfy(failure -> assertThat(failure).contains("by traits or for a missing hook only"))
        .anySatisfy(
            failure ->
                assertThat(failure).contains("a2_something_isDisabled was disabled: too slow"));

    assertThat(status(report(SkippingContract.class), "A1")).isEqualTo("failed");
    assertThat(status(report(SkippingContract.class), "A2")).isEqualTo("failed");
  }

  @Test
  void run_tooLittleExecuted_fails() {
    assertThat(failures(EmptyContract.class))
        .singleElement()
        .asString()
        .contains("0 statements were executed, the minimum is 2");
  }

  @Test
  void run_knownFailure_isNoFailureButReported() throws IOException {
    assertThat(failures(KnownContract.class)).isEmpty();

    JsonNode report = report(KnownContract.class);
    assertThat(status(report, "A2")).isEqualTo("known failure");
    assertThat(statement(report, "A2").get("reasons").get(0).stringValue())
        .isEqualTo("known failure: A2, the data is lost");
  }

  @Test
  void run_staleKnownFailure_fails() {
    assertThat(failures(StaleContract.class))
        .singleElement()
        .asString()
        .contains("the known failure A1 is stale, its status is: passed")
        .contains("the known failure A3 is stale, its status is: excluded")
        .contains("the known failure Z9 is no statement");
  }

  @Test
  void run_ofOneTest_isReportedAsIncomplete() throws IOException {
    assertThat(failures(selectMethod(GoodContract.class, "a1_something_passes"))).isEmpty();

    JsonNode report = report(GoodContract.class);
    assertThat(report.get("complete").booleanValue()).isFalse();
    assertThat(status(report, "H2")).isEqualTo("not run");
  }

  @Test
  void run_someTestsLeftOut_failsAndNamesThem() {
    assertThat(failures(selectMethod(GoodContract.class, ContractBase.CLOSING_TEST)))
        .singleElement()
        .asString()
        .contains(
            "the test a1_something_passes was neither executed nor excluded",
            "the test h2_something_needsAHook was neither executed nor excluded",
            "0 statements were executed, the minimum is 2")
        .doesNotContain("a4_something_takesLong", ContractBase.CLOSING_TEST);
  }

  @Test
  void everyTestOfTheContracts_cannotBeOverridden() {
    List<Method> tests = new ArrayList<>(ContractRun.testMethods(StorageBackendContract.class));
    tests.addAll(ContractRun.testMethods(TaskStoreContract.class));

    assertThat(tests)
        .isNotEmpty()
        .allSatisfy(test -> assertThat(Modifier.isFinal(test.getModifiers())).isTrue());
  }

  // --- small parts --------------------------------------------------------------------------

  private List<String> failures(Class<?> contract) {
    return failures(selectClass(contract));
  }

  private List<String> failures(DiscoverySelector selector) {
    EngineExecutionResults results =
        EngineTestKit.engine("junit-jupiter")
            .selectors(selector)
            .configurationParameter(ContractReport.FOLDER_PARAMETER, reports.toString())
            .execute();
    assertThat(results.containerEvents().failed().count()).isZero();
    return results.testEvents().failed().stream().map(ContractFrameworkTest::message).toList();
  }

  private static String message(Event event) {
    Throwable failure =
        event.getRequiredPayload(TestExecutionResult.class).getThrowable().orElseThrow();
    return String.valueOf(failure.getMessage());
  }

  private Path file(Class<?> contract, String extension) {
    String name =
        contract.getSimpleName().replace("Contract", "").toLowerCase(java.util.Locale.ROOT);
    return reports.resolve("local." + name + "." + extension);
  }

  private JsonNode report(Class<?> contract) throws IOException {
    return JsonMapper.builder().build().readTree(Files.readString(file(contract, "json")));
  }

  private static JsonNode statement(JsonNode report, String id) {
    for (JsonNode statement : report.get("statements")) {
      if (statement.get("id").stringValue().equals(id)) {
        return statement;
      }
    }
    throw new AssertionError("The report has no statement " + id);
  }

  private static String status(JsonNode report, String id) {
    return statement(report, id).get("status").stringValue();
  }
}
