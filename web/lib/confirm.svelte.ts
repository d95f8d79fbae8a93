/** A question that has to be answered before something is done. */
export interface Question {
  readonly title: string;
  readonly body: string;
  readonly confirmLabel: string;
  readonly isDanger?: boolean;
}

class Confirmer {
  question = $state.raw<Question | undefined>(undefined);
  #answer: ((isYes: boolean) => void) | undefined;

  ask(question: Question): Promise<boolean> {
    this.answer(false);
    this.question = question;
    return new Promise((resolve) => {
      this.#answer = resolve;
    });
  }

  answer(isYes: boolean): void {
    this.#answer?.(isYes);
    this.#answer = undefined;
    this.question = undefined;
  }
}

/** Behind `<ConfirmDialog/>`, of which the shell holds the only one. */
export const confirmer = new Confirmer();

/** Asks and resolves to whether the person agreed. */
export function askToConfirm(question: Question): Promise<boolean> {
  return confirmer.ask(question);
}
