"""The training loop: K members, one pass. A regularizer acts at the hooks that its `Effect` overrides.

    data = source.prepare(spec), checked against the plan           group.py, planned_rows.py
        where the surgery of the layers is done
    inputs = the models that regularizers need                      first.py, inputs.py
        of other jobs, from their files; or trained first, in a pass of their own
    for epoch, for position in epoch:                               trainer.py
        stop or save, let members leave                             # a checkpoint, if one is due or asked for
        rows = order.rows(seeds, epoch, position)                   # a function of these alone
        step.advance(rows):                                         step.py
            slope = for each micro-batch:
                batch = task.targets(rows.fetch(numbers))
                batch = effect.on_batch(batch)                      # augmentation 0 to 5, mixtures 10, smoothing 20
                tensors = effect.weights(tensors)                   # averages 0, parametrizations 10, drops 20
                compute = network.forward, task.row_losses          # dropout and the like are layers
                compute wrapped by each effect.loss                 # terms 10, R-Drop 20
                gradients of the mean over the step's rows          # members do not meet: one backward serves all
            slope wrapped by each effect.gradients                  # SAM 10, clipping 20
            update.step with the merged effect.elementwise          # one pass over each weight: ℓ₁, ℓ₂, decay, masks
            buffers as the last pass left them
            effect.after_step                                       # block prox 10, projections 20, averages 100
    every so often:                                                 stack.py, evaluate.py
        deployed = effect.weights(tensors), not training
        evaluate(train, validation, test)                           # unpenalised, true labels, as it would be deployed
        effect.on_evaluation                                        # early stopping: whom to keep, whom to stop
    finished = the kept tensors, or those deployed; conclude        conclude.py

The order of the hooks is fixed here. At one hook the order is that of `Effect.ranks` (the numbers above; of wrappers
the lowest is the innermost), and among equals the spec's. `on_batch`, `weights`, `loss` and `gradients` are pure,
because SAM, R-Drop and accumulation call them several times in a step.

All that a run remembers is one tree of tensors with a leading member axis (`Stack.tree`): `tensors`, `update`,
`effects`, `kept`, `objective`. Everything random is drawn from `At`, the place in the run, and has no state.

Lives here: the loop and its computations. Does not live here: any single regularizer, layer, optimizer or task.
"""
