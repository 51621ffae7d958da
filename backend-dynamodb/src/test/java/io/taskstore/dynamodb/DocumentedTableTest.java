// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.taskstore.GenericTaskStore;
import io.taskstore.NewTask;
import io.taskstore.Owner;
import io.taskstore.Task;
import io.taskstore.TaskChange;
import io.taskstore.TaskNotFoundException;
import io.taskstore.TaskQuery;
import io.taskstore.TaskStore;
import io.taskstore.spi.StorageBackend;
import io.taskstore.testservers.DynamoDbServer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.services.dynamodb.DynamoDbClient;
import software.amazon.awssdk.services.dynamodb.model.AttributeDefinition;
import software.amazon.awssdk.services.dynamodb.model.CreateTableRequest;
import software.amazon.awssdk.services.dynamodb.model.KeySchemaElement;
import software.amazon.awssdk.services.dynamodb.model.LocalSecondaryIndex;
import software.amazon.awssdk.services.dynamodb.model.QueryRequest;
import software.amazon.awssdk.services.dynamodb.model.TimeToLiveSpecification;

/** What the document has for other tools makes the same table, and its policy is enough. */
final class DocumentedTableTest {
  private static final Path DOCUMENT = Path.of("..", "docs", "backends", "dynamodb.md");
  private static final String TABLE = "tasks";

  /** The only block of a language, of those that have a text in them. */
  private static String block(String language, String with) throws IOException {
    Matcher blocks =
        Pattern.compile("^```" + language + "\\n(.*?)^```$", Pattern.MULTILINE | Pattern.DOTALL)
            .matcher(Files.readString(DOCUMENT, UTF_8));
    List<String> found = new ArrayList<>();
    while (blocks.find()) {
      if (blocks.group(1).contains(with)) {
        found.add(blocks.group(1));
      }
    }
    assertThat(found).as("blocks of %s with %s", language, with).hasSize(1);
    return found.get(0);
  }

  /** A table, whoever describes it: names and values as the service has them. */
  private record Table(
      String name,
      String billing,
      Map<String, String> attributes,
      List<String> keys,
      Map<String, Index> indexes,
      String timeToLive) {}

  private record Index(List<String> keys, String projection, List<String> projected) {}

  private static Table described() {
    CreateTableRequest table = DynamoDbTables.describe(TABLE);
    TimeToLiveSpecification ttl =
        DynamoDbTables.describeTimeToLive(TABLE).timeToLiveSpecification();
    Map<String, String> attributes = new TreeMap<>();
    for (AttributeDefinition each : table.attributeDefinitions()) {
      attributes.put(each.attributeName(), each.attributeTypeAsString());
    }
    Map<String, Index> indexes = new TreeMap<>();
    for (LocalSecondaryIndex each : table.localSecondaryIndexes()) {
      indexes.put(
          each.indexName(),
          new Index(
              keys(each.keySchema()),
              each.projection().projectionTypeAsString(),
              each.projection().nonKeyAttributes()));
    }
    return new Table(
        table.tableName(),
        table.billingModeAsString(),
        attributes,
        keys(table.keySchema()),
        indexes,
        ttl.attributeName() + "=" + ttl.enabled());
  }

  private static List<String> keys(List<KeySchemaElement> schema) {
    return schema.stream().map(k -> k.attributeName() + "=" + k.keyTypeAsString()).toList();
  }

  // --- command line ---------------------------------------------------------------------------

  @Test
  void awsCli_text_makesTheTableOfDescribe() throws IOException {
    Table table = described();
    assertThat(table.indexes()).hasSize(1);
    Map.Entry<String, Index> index = table.indexes().entrySet().iterator().next();
    String commands = block("sh", "aws dynamodb create-table").replace("\\\n", " ");

    assertThat(commands.replaceAll(" +", " ").lines())
        .containsExactly(
            "aws dynamodb create-table --table-name tasks --billing-mode %s"
                    .formatted(table.billing())
                + " --attribute-definitions "
                + table.attributes().entrySet().stream()
                    .map(
                        a ->
                            "AttributeName=%s,AttributeType=%s".formatted(a.getKey(), a.getValue()))
                    .collect(Collectors.joining(" "))
                + " --key-schema "
                + table.keys().stream()
                    .map(DocumentedTableTest::shorthand)
                    .collect(Collectors.joining(" "))
                + " --local-secondary-indexes 'IndexName=%s,KeySchema=[%s],Projection={ProjectionType=%s,NonKeyAttributes=[%s]}'"
                    .formatted(
                        index.getKey(),
                        index.getValue().keys().stream()
                            .map(key -> "{" + shorthand(key) + "}")
                            .collect(Collectors.joining(",")),
                        index.getValue().projection(),
                        String.join(",", index.getValue().projected())),
            "aws dynamodb wait table-exists --table-name tasks",
            "aws dynamodb update-time-to-live --table-name tasks --time-to-live-specification"
                + " AttributeName=%s,Enabled=%s"
                    .formatted((Object[]) table.timeToLive().split("=", -1)));
  }

  private static String shorthand(String key) {
    return "AttributeName=%s,KeyType=%s".formatted((Object[]) key.split("=", -1));
  }

  // --- CloudFormation -------------------------------------------------------------------------

  @Test
  void cloudFormation_text_isTheTableOfDescribe() throws IOException {
    Map<String, Object> template = new Yaml(block("yaml", "AWS::DynamoDB::Table")).read();

    assertThat(template).containsOnlyKeys("AWSTemplateFormatVersion", "Resources");
    Map<String, Object> resource = map(map(template.get("Resources")).get("Tasks"));
    assertThat(resource)
        .containsEntry("Type", "AWS::DynamoDB::Table")
        // else the table would go with its stack
        .containsEntry("DeletionPolicy", "Retain")
        .containsEntry("UpdateReplacePolicy", "Retain");
    Map<String, Object> properties = map(resource.get("Properties"));
    Map<String, String> attributes = new TreeMap<>();
    for (Object each : list(properties.get("AttributeDefinitions"))) {
      attributes.put(text(map(each), "AttributeName"), text(map(each), "AttributeType"));
    }
    Map<String, Index> indexes = new TreeMap<>();
    for (Object each : list(properties.get("LocalSecondaryIndexes"))) {
      Map<String, Object> projection = map(map(each).get("Projection"));
      indexes.put(
          text(map(each), "IndexName"),
          new Index(
              yamlKeys(map(each)),
              text(projection, "ProjectionType"),
              list(projection.get("NonKeyAttributes")).stream().map(String::valueOf).toList()));
    }
    Map<String, Object> ttl = map(properties.get("TimeToLiveSpecification"));

    assertThat(
            new Table(
                text(properties, "TableName"),
                text(properties, "BillingMode"),
                attributes,
                yamlKeys(properties),
                indexes,
                text(ttl, "AttributeName") + "=" + text(ttl, "Enabled")))
        .isEqualTo(described());
  }

  private static List<String> yamlKeys(Map<String, Object> of) {
    return list(of.get("KeySchema")).stream()
        .map(key -> text(map(key), "AttributeName") + "=" + text(map(key), "KeyType"))
        .toList();
  }

  @SuppressWarnings("unchecked") // keys are texts
  private static Map<String, Object> map(Object value) {
    assertThat(value).isInstanceOf(Map.class);
    return (Map<String, Object>) value;
  }

  private static List<?> list(Object value) {
    assertThat(value).isInstanceOf(List.class);
    return (List<?>) value;
  }

  private static String text(Map<String, Object> map, String name) {
    assertThat(map.get(name)).as(name).isInstanceOf(String.class);
    return (String) map.get(name);
  }

  /** A reader of the little YAML that the document has: maps, lists, and texts on one line. */
  private static final class Yaml {
    private final List<String> lines;
    private int at;

    Yaml(String text) {
      this.lines = new ArrayList<>(text.lines().toList());
    }

    Map<String, Object> read() {
      Map<String, Object> all = readMap(0);
      assertThat(at).as("a line that nobody has read").isEqualTo(lines.size());
      return all;
    }

    private int indent() {
      return at == lines.size()
          ? -1
          : lines.get(at).length() - lines.get(at).stripLeading().length();
    }

    private boolean isItem() {
      return lines.get(at).stripLeading().startsWith("- ");
    }

    private Object readValue(int indent) {
      return isItem() ? readList(indent) : readMap(indent);
    }

    private List<Object> readList(int indent) {
      List<Object> items = new ArrayList<>();
      while (indent() == indent && isItem()) {
        String rest = lines.get(at).strip().substring(2);
        if (rest.contains(": ") || rest.endsWith(":")) {
          lines.set(at, " ".repeat(indent + 2) + rest);
          items.add(readMap(indent + 2));
        } else {
          items.add(scalar(rest));
          at++;
        }
      }
      return items;
    }

    private Map<String, Object> readMap(int indent) {
      Map<String, Object> members = new LinkedHashMap<>();
      while (indent() == indent && !isItem()) {
        Matcher member = Pattern.compile(" *([A-Za-z]+):(?: (.+))?").matcher(lines.get(at));
        assertThat(member.matches()).as(lines.get(at)).isTrue();
        at++;
        Object value =
            member.group(2) == null ? readValue(deeper(indent)) : scalar(member.group(2));
        assertThat(members.put(member.group(1), value)).as("twice: " + member.group(1)).isNull();
      }
      return members;
    }

    private int deeper(int indent) {
      assertThat(indent()).isEqualTo(indent + 2);
      return indent + 2;
    }

    private static String scalar(String text) {
      assertThat(text).doesNotContain("{", "}", "[", "]", "&", "*", "|", ">", "#");
      return text.replaceAll("^\"(.*)\"$", "$1");
    }
  }

  // --- Terraform ------------------------------------------------------------------------------

  @Test
  void terraform_text_isTheTableOfDescribe() throws IOException {
    Map<String, List<Map<String, String>>> blocks = terraform(block("hcl", "aws_dynamodb_table"));

    assertThat(blocks)
        .containsOnlyKeys(
            "resource \"aws_dynamodb_table\" \"tasks\"",
            "attribute",
            "local_secondary_index",
            "ttl");
    Map<String, String> resource = only(blocks, "resource \"aws_dynamodb_table\" \"tasks\"");
    assertThat(resource).containsOnlyKeys("name", "billing_mode", "hash_key", "range_key");
    Map<String, String> attributes = new TreeMap<>();
    for (Map<String, String> each : blocks.get("attribute")) {
      attributes.put(each.get("name"), each.get("type"));
    }
    Map<String, String> index = only(blocks, "local_secondary_index");
    assertThat(index)
        .containsOnlyKeys("name", "range_key", "projection_type", "non_key_attributes");
    Map<String, String> ttl = only(blocks, "ttl");

    assertThat(
            new Table(
                resource.get("name"),
                resource.get("billing_mode"),
                attributes,
                terraformKeys(resource.get("hash_key"), resource.get("range_key")),
                Map.of(
                    index.get("name"),
                    new Index(
                        // the other half is the table's, by the nature of a local index
                        terraformKeys(resource.get("hash_key"), index.get("range_key")),
                        index.get("projection_type"),
                        List.of(index.get("non_key_attributes")))),
                ttl.get("attribute_name") + "=" + ttl.get("enabled")))
        .isEqualTo(described());
  }

  private static List<String> terraformKeys(String hash, String range) {
    return List.of(hash + "=HASH", range + "=RANGE");
  }

  private static Map<String, String> only(
      Map<String, List<Map<String, String>>> blocks, String name) {
    assertThat(blocks.get(name)).as(name).hasSize(1);
    return blocks.get(name).get(0);
  }

  /** The blocks by their heads, with what is assigned in each; lists have one text. */
  private static Map<String, List<Map<String, String>>> terraform(String text) {
    Map<String, List<Map<String, String>>> blocks = new TreeMap<>();
    List<Map<String, String>> open = new ArrayList<>();
    for (String line : text.lines().map(String::strip).filter(l -> !l.isEmpty()).toList()) {
      Matcher assignment =
          Pattern.compile("([a-z_]+) += (?:\"([^\"]*)\"|(true|false)|\\[\"([^\"]*)\"\\])")
              .matcher(line);
      if (line.endsWith(" {")) {
        open.add(new TreeMap<>());
        String head = line.substring(0, line.length() - 2);
        blocks.computeIfAbsent(head, unused -> new ArrayList<>()).add(open.get(open.size() - 1));
      } else if (line.equals("}")) {
        open.remove(open.size() - 1);
      } else {
        assertThat(assignment.matches()).as(line).isTrue();
        String value =
            Arrays.asList(assignment.group(2), assignment.group(3), assignment.group(4)).stream()
                .filter(group -> group != null)
                .findFirst()
                .orElseThrow();
        Map<String, String> block = open.get(open.size() - 1);
        assertThat(block.put(assignment.group(1), value)).as("twice: " + line).isNull();
      }
    }
    assertThat(open).isEmpty();
    return blocks;
  }

  // --- the policy -----------------------------------------------------------------------------

  /** Statements by their ids: the actions, and the resource behind the name of the table. */
  private static Map<String, Set<String>> policy() throws IOException {
    String json = block("json", "\"Statement\"");
    Matcher statements =
        Pattern.compile(
                "\\{\\s*\"Sid\": \"(\\w+)\",\\s*\"Effect\": \"Allow\",\\s*\"Action\": \\[([^\\]]*)\\],"
                    + "\\s*\"Resource\": \"arn:aws:dynamodb:REGION:ACCOUNT:table/tasks([^\"]*)\"\\s*\\}")
            .matcher(json);
    Map<String, Set<String>> granted = new TreeMap<>();
    int end = 0;
    while (statements.find()) {
      Set<String> actions = new TreeSet<>();
      for (String action : statements.group(2).split(",", -1)) {
        Matcher name = Pattern.compile("\"dynamodb:(\\w+)\"").matcher(action.strip());
        assertThat(name.matches()).as(action).isTrue();
        actions.add(name.group(1) + statements.group(3));
      }
      granted.put(statements.group(1), actions);
      end = statements.end();
    }
    assertThat(json.split("\"Sid\"", -1)).as("all were understood").hasSize(granted.size() + 1);
    assertThat(json.substring(end).replaceAll("\\s", "")).isEqualTo("]}");
    return granted;
  }

  /** What was sent, with the index behind the name of an operation that uses one. */
  private static Set<String> operations(RequestLog log) {
    Set<String> operations = new TreeSet<>();
    for (SdkRequest each : log.take()) {
      String index =
          each instanceof QueryRequest query && query.indexName() != null
              ? "/index/" + query.indexName()
              : "";
      operations.add(RequestLog.name(each) + index);
    }
    return operations;
  }

  @Test
  void policy_whatAStoreSends_isAllowed_andNothingElse() throws IOException {
    RequestLog sent = new RequestLog();
    Map<String, Set<String>> granted = policy();
    assertThat(granted).containsOnlyKeys("Tasks", "ActiveTasks", "Purge");
    try (DynamoDbServer server = DynamoDbServer.start();
        DynamoDbClient client = Clients.connect(server.endpoint(), sent)) {
      DynamoDbTables.create(client, TABLE);
      sent.take();
      try (StorageBackend backend = DynamoDbStorageBackend.builder(client, TABLE).build();
          TaskStore store = GenericTaskStore.over(backend)) {
        useAll(store);
        Set<String> needed = operations(sent);
        store.purgeExpired(10);
        Set<String> neededToPurge = operations(sent);

        Set<String> always = new TreeSet<>(granted.get("Tasks"));
        always.addAll(granted.get("ActiveTasks"));
        assertThat(needed).isEqualTo(always);
        // what it finds it deletes, which is granted already
        assertThat(neededToPurge).isEqualTo(granted.get("Purge"));
      }
    }
  }

  private static void useAll(TaskStore store) {
    Owner alice = Owner.subject("alice");
    Task task = store.create(alice, NewTask.of("digest", Map.of("folder", ".")));
    assertThat(store.get(alice, task.id())).isEqualTo(task);
    task = store.update(task, TaskChange.change().progress(1, 2));
    task = store.claim(task, "worker", Duration.ofMinutes(1)).orElseThrow();
    assertThat(store.list(alice, TaskQuery.newestFirst()).tasks()).hasSize(1);
    assertThat(store.list(alice, TaskQuery.newestFirst().activeOnly()).tasks()).hasSize(1);
    assertThat(store.cancel(alice, task.id()).status().isTerminal()).isTrue();
    store.delete(alice, task.id());
    String id = task.id();
    assertThatThrownBy(() -> store.get(alice, id)).isInstanceOf(TaskNotFoundException.class);
  }
}
