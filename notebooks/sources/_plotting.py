import matplotlib.pyplot as plt
from IPython.display import display

# Okabe and Ito's colour-blind-safe colours that are visible on white and on black, as C0 to C3.
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=["#0072B2", "#D55E00", "#009E73", "#CC79A7"])
# Grey text on a transparent background is readable in light and dark themes.
GREY = "#808080"
for name in ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"):
    plt.rcParams[name] = GREY
for name in ("figure.facecolor", "axes.facecolor", "savefig.facecolor"):
    plt.rcParams[name] = "none"
for name in ("axes.spines.top", "axes.spines.right", "legend.frameon"):
    plt.rcParams[name] = False
plt.rcParams["font.size"] = 12


def show(figure: plt.Figure, alt: str) -> None:
    """Display a figure with an alternative text."""
    figure.tight_layout()
    display(figure, metadata={"image/png": {"alt": alt}})
    plt.close(figure)
