// SPDX-License-Identifier: Apache-2.0
package io.taskstore.dynamodb;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Test;

final class ArchitectureTest {
  private final JavaClasses production =
      new ClassFileImporter()
          .withImportOption(new ImportOption.DoNotIncludeTests())
          .importPackages("io.taskstore.dynamodb");

  @Test
  void dependencies_production_areTheSpiTheClientAndTheJdkOnly() {
    classes()
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "io.taskstore.dynamodb",
            "io.taskstore.spi",
            "software.amazon.awssdk..",
            "java..",
            "javax.net.ssl",
            "org.jspecify.annotations")
        .check(production);
  }

  @Test
  void visibility_production_onlyTheBackendItsProviderAndItsTablesArePublic() {
    classes()
        .that()
        .areTopLevelClasses()
        .and()
        .arePublic()
        .should()
        .be(DynamoDbStorageBackend.class)
        .orShould()
        .be(DynamoDbBackendProvider.class)
        .orShould()
        .be(DynamoDbTables.class)
        .check(production);
  }
}
