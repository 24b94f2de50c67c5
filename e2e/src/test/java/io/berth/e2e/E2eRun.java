package io.berth.e2e;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectPackage;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.jspecify.annotations.Nullable;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/**
 * What {@code ./test} runs in its namespaces: all tests of this package, or the classes that are named. Prints each
 * class with its time and each failure as it happens, then the unit tests that Maven ran before, then all failures once
 * more, so that the end of a log is enough to know them, and the sum. Exits with 1 if anything failed.
 */
final class E2eRun implements TestExecutionListener {
    private static final int SHOWN_FRAMES = 6;
    private static final int SHOWN_LINES = 40;

    /** What failed, as it is printed: some lines for each. */
    private final List<String> failures = new ArrayList<>();

    private @Nullable TestPlan plan;
    private int passed;
    private int failed;
    private int skipped;
    private int passedOfClass;
    private int failedOfClass;
    private String currentClass = "";
    private long classStart;

    private E2eRun() {}

    /** @param classes simple names of test classes; none for all */
    public static void main(String[] classes) throws IOException, ClassNotFoundException {
        var run = new E2eRun();
        var request = LauncherDiscoveryRequestBuilder.request();
        if (classes.length == 0) {
            request.selectors(selectPackage(E2eRun.class.getPackageName()))
                    .filters(ClassNameFilter.includeClassNamePatterns(".*IT"));
        }
        for (String name : classes) {
            request.selectors(selectClass(Class.forName(E2eRun.class.getPackageName() + "." + name)));
        }
        System.out.println("end to end");
        var launcher = LauncherFactory.create();
        launcher.registerTestExecutionListeners(run);
        launcher.execute(request.build());
        run.endClass();
        if (classes.length == 0) {
            run.addUnitTests();
        }
        if (!run.failures.isEmpty()) {
            System.out.println("failed");
            run.failures.forEach(System.out::println);
        }
        String notRun = run.skipped == 0 ? "" : ", " + run.skipped + " skipped";
        System.out.printf("%n%d passed, %d failed%s%n", run.passed, run.failed, notRun);
        System.exit(run.failed > 0 || run.passed == 0 ? 1 : 0);
    }

    @Override
    public void testPlanExecutionStarted(TestPlan started) {
        plan = started;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        if (test.getSource().orElse(null) instanceof ClassSource source
                && !source.getJavaClass().getSimpleName().equals(currentClass)) {
            endClass();
            currentClass = source.getJavaClass().getSimpleName();
            classStart = System.nanoTime();
        }
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        switch (result.getStatus()) {
            case SUCCESSFUL -> passedOfClass += test.isTest() ? 1 : 0;
            case FAILED, ABORTED -> {
                failedOfClass++;
                fail(name(test), result.getThrowable().map(E2eRun::text).orElse(""));
            }
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        skipped++;
        System.out.println("  skipped " + name(test) + ": " + reason);
    }

    /** Class, method and parameters: {@code PodNetworkIT[runc].loopbackOfAPodIsUp()}. */
    private String name(TestIdentifier test) {
        String name = test.getDisplayName();
        Optional<TestIdentifier> parent = test.getParentIdObject()
                .map(id -> Objects.requireNonNull(plan).getTestIdentifier(id));
        boolean isRoot = parent.map(p -> p.getParentIdObject().isEmpty()).orElse(true);
        return isRoot ? name : name(parent.orElseThrow()) + " " + name;
    }

    private void fail(String name, String text) {
        String failure = "  FAILED " + name
                + text.indent(4).stripTrailing().transform(t -> t.isEmpty() ? t : "\n" + t);
        System.out.println(failure);
        failures.add(failure);
    }

    private static String text(Throwable failure) {
        var lines = new StringJoiner("\n");
        for (Throwable t = failure; t != null; t = t.getCause()) {
            // The text of a failed assertion may have the whole trace of another failure in it.
            String.valueOf(t).lines().filter(line -> !line.startsWith("\tat ")).limit(SHOWN_LINES)
                    .forEach(lines::add);
            Stream.of(t.getStackTrace()).filter(frame -> frame.getClassName().startsWith("io.berth"))
                    .limit(SHOWN_FRAMES).forEach(frame -> lines.add("  at " + frame));
        }
        for (Throwable suppressed : failure.getSuppressed()) {
            lines.add("and " + suppressed);
        }
        return lines.toString();
    }

    private void endClass() {
        if (!currentClass.isEmpty()) {
            line(Duration.ofNanos(System.nanoTime() - classStart), currentClass, passedOfClass,
                    failedOfClass);
        }
        passed += passedOfClass;
        failed += failedOfClass;
        passedOfClass = 0;
        failedOfClass = 0;
        currentClass = "";
    }

    /** The reports that Maven's surefire left in the modules. */
    private void addUnitTests() throws IOException {
        System.out.println("unit");
        List<Path> reports;
        try (Stream<Path> files = Files.find(Path.of("."), 4,
                (file, attributes) -> file.resolveSibling("").endsWith("target/surefire-reports")
                        && file.toString().endsWith(".xml"))) {
            reports = files.sorted().toList();
        }
        for (Path report : reports) {
            Element suite = root(report);
            int broken = count(suite, "errors") + count(suite, "failures");
            int notRun = count(suite, "skipped");
            int good = count(suite, "tests") - broken - notRun;
            double seconds = Double.parseDouble(suite.getAttribute("time").replace(",", ""));
            line(Duration.ofMillis((long) (1000 * seconds)), simpleName(suite.getAttribute("name")), good,
                    broken);
            passed += good;
            failed += broken;
            skipped += notRun;
            addFailures(suite, "failure");
            addFailures(suite, "error");
        }
    }

    private static Element root(Path report) throws IOException {
        try {
            return DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder().parse(report.toFile())
                    .getDocumentElement();
        } catch (ParserConfigurationException | SAXException e) {
            throw new IOException(report + " is no report of surefire", e);
        }
    }

    private static int count(Element suite, String attribute) {
        return Integer.parseInt(suite.getAttribute(attribute));
    }

    private void addFailures(Element suite, String kind) {
        NodeList found = suite.getElementsByTagName(kind);
        for (int i = 0; i < found.getLength(); i++) {
            Element test = (Element) found.item(i).getParentNode();
            String trace = found.item(i).getTextContent().strip();
            fail(simpleName(test.getAttribute("classname")) + " " + test.getAttribute("name"),
                    trace.lines()
                            .filter(line -> !line.startsWith("\tat ") || line.startsWith("\tat io.berth"))
                            .limit(SHOWN_LINES).collect(Collectors.joining("\n")));
        }
    }

    private static String simpleName(String className) {
        return className.substring(className.lastIndexOf('.') + 1);
    }

    private static void line(Duration time, String name, int good, int broken) {
        System.out.printf(Locale.ROOT, "%7.1f s  %-34s %d passed%s%n", time.toMillis() / 1000.0, name, good,
                broken > 0 ? ", " + broken + " FAILED" : "");
    }
}
