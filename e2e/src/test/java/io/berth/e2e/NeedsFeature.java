package io.berth.e2e;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.util.Arrays;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.platform.commons.support.AnnotationSupport;

/** Tests that cannot be run without some features of the node. Without them they count as skipped, with the reason. */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
@ExtendWith(NeedsFeature.Condition.class)
@interface NeedsFeature {
    NodeFeature[] value();

    /** Looks before anything of the class, like its node, is started. */
    final class Condition implements ExecutionCondition {
        @Override
        public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
            return AnnotationSupport.findAnnotation(context.getElement(), NeedsFeature.class)
                    .flatMap(needs -> Arrays.stream(needs.value()).filter(feature -> !feature.isPresent())
                            .findFirst())
                    .map(missing -> ConditionEvaluationResult.disabled(missing.lack()))
                    .orElseGet(() -> ConditionEvaluationResult.enabled("the node has what it needs"));
        }
    }
}
