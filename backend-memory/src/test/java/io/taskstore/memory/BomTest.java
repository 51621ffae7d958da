// SPDX-License-Identifier: Apache-2.0
package io.taskstore.memory;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Set;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/** The BOM has every module that is published, and nothing else. */
final class BomTest {
  private static Document pom(String folder) throws Exception {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(DocumentedCode.ROOT.resolve(folder).resolve("pom.xml").toFile());
  }

  private static String ownArtifact(Document pom) {
    Node child = pom.getDocumentElement().getFirstChild();
    while (!child.getNodeName().equals("artifactId")) {
      child = child.getNextSibling();
    }
    return child.getTextContent();
  }

  private static Set<String> texts(Document pom, String tag) {
    Set<String> texts = new TreeSet<>();
    for (int i = 0; i < pom.getElementsByTagName(tag).getLength(); i++) {
      texts.add(pom.getElementsByTagName(tag).item(i).getTextContent());
    }
    return texts;
  }

  @Test
  void bom_hasEveryPublishedModule() throws Exception {
    Set<String> published = new TreeSet<>();
    for (String module : texts(pom(""), "module")) {
      Document pom = pom(module);
      if (!module.equals("bom") && !texts(pom, "maven.deploy.skip").contains("true")) {
        published.add(ownArtifact(pom));
      }
    }

    Element managed = (Element) pom("bom").getElementsByTagName("dependencyManagement").item(0);
    Set<String> listed = new TreeSet<>();
    for (int i = 0; i < managed.getElementsByTagName("artifactId").getLength(); i++) {
      listed.add(managed.getElementsByTagName("artifactId").item(i).getTextContent());
    }
    assertThat(published).contains("taskstore-core", "taskstore-contract-tests");
    assertThat(listed).isEqualTo(published);
  }
}
