"""The training loop: K members, one pass.

    prepare(data); surgery is in the plan
    for epoch:
        for batch:
            stop or save                            # a checkpoint, if one is due or requested
            outputs = network.forward(x)            # dropout and the like act here
            data_loss[K] = mean of row_losses
            gradients = backward(data_loss)
            effect.on_gradients                     # penalties add theirs
            effect.before_step                      # decoupled decay
            update.step
            effect.after_step                       # proximal operators, projections
        evaluate(train, validation, test)           # eval mode, unpenalised, true labels
        effect.on_evaluation                        # early stopping
    select, evaluate, report

Lives here: the loop and its computations. Does not live here: any single regularizer or layer.
"""
